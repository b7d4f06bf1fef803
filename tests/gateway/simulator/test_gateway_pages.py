"""The simulated gateway's pages, byte for byte as protocol.md §2–§7 has them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest

from receiver.gateway.simulator.gateway import DEMO, Account, Page, Rules, Sent, SimulatedGateway

from .asking import LOGIN, START, Clock, answer, posted

HELLO = b"%C4%E3%BA%C3"  # 你好 in GBK


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gateway(clock: Clock) -> Iterator[SimulatedGateway]:
    rules = Rules(phones={"13900000009": 6009, "13900000004": 6004, "13900000007": 6007})
    with SimulatedGateway(clock=clock, rules=rules) as gateway:
        yield gateway


def gbk(text: str) -> bytes:
    return text.encode("gbk")


def texts(gateway: SimulatedGateway) -> list[tuple[str, str]]:
    return [(sent.phone, sent.text) for sent in gateway.sent]


def test_a_text_goes_to_each_phone_and_costs_one_each(gateway: SimulatedGateway) -> None:
    said = answer(gateway, b"gsend.asp", LOGIN + b"&dst=13900000001,13900000002&msg=" + HELLO)
    assert said == gbk("num=2&success=13900000001,13900000002&faile=&err=发送成功&errid=0")
    assert gateway.sent == [
        Sent(START, "13900000001", "你好", "10690000", None, "demo", 0),
        Sent(START, "13900000002", "你好", "10690000", None, "demo", 0),
    ]
    assert gateway.account().balance == 9998


def test_the_phones_that_can_be_reached_get_it_and_the_others_are_named(gateway: SimulatedGateway) -> None:
    said = answer(gateway, b"gsend.asp", LOGIN + b"&dst=13900000009,13900000001,12345&msg=hi")
    assert said == gbk("num=1&success=13900000001&faile=13900000009,12345&err=号码在黑名单中&errid=6009")
    assert texts(gateway) == [("13900000001", "hi")]


MANY = b",".join(b"139%08d" % (100 + number) for number in range(100))


@pytest.mark.parametrize(
    ("said", "code", "faile"),
    [
        (b"name=nobody&pwd=x&dst=13900000001&msg=hi", 6001, b"13900000001"),
        (b"dst=13900000001&msg=hi", 6001, b"13900000001"),
        (b"name=demo&pwd=DEMO123&dst=13900000001&msg=hi", 6003, b"13900000001"),
        (LOGIN + b"&dst=13900000001&msg=", 6014, b"13900000001"),
        (LOGIN + b"&dst=13900000001", 6014, b"13900000001"),
        (LOGIN + b"&dst=13900000001&msg=+++", 6014, b"13900000001"),
        (LOGIN + b"&msg=hi", 6008, b""),
        (LOGIN + b"&dst=13900000001,&msg=hi", 6008, b"13900000001"),
        (LOGIN + b"&dst=12900000001&msg=hi", 6008, b"12900000001"),
        (LOGIN + b"&dst=8613900000001&msg=hi", 6008, b"8613900000001"),
        (LOGIN + b"&dst=1390000000&msg=hi", 6008, b"1390000000"),
        (LOGIN + b"&dst=" + MANY + b"&msg=hi", 6008, MANY),
        (LOGIN + b"&dst=13900000001,01055500001&msg=hi", 6008, b"13900000001,01055500001"),
        (LOGIN + b"&dst=13900000009&msg=hi", 6009, b"13900000009"),
        (LOGIN + b"&dst=13900000004&msg=hi", 6004, b"13900000004"),
        (LOGIN + b"&dst=13900000007&msg=hi", 6007, b"13900000007"),
        (LOGIN + b"&dst=13900000001&msg=%B4%FA%BF%AA%B7%A2%C6%B1%BE%CD", 6005, b"13900000001"),
        (LOGIN + b"&dst=13900000001&msg=hi&sender=12a", 6021, b"13900000001"),
        (LOGIN + b"&dst=13900000001&msg=hi&sender=123456789", 6021, b"13900000001"),
    ],
)
def test_what_the_rules_forbid_is_refused_with_its_code_and_nothing_is_sent(
    gateway: SimulatedGateway, said: bytes, code: int, faile: bytes
) -> None:
    got = answer(gateway, b"gsend.asp", said)
    assert got.startswith(b"num=0&success=&faile=" + faile + b"&err=")
    assert got.endswith(b"&errid=%d" % code)
    assert (gateway.sent, gateway.account().balance) == ([], 10_000)
    assert [(call.code, call.carried_out) for call in gateway.calls] == [(code, True)]


def test_ninety_nine_phones_are_not_too_many(gateway: SimulatedGateway) -> None:
    ninety_nine = MANY.rpartition(b",")[0]
    assert answer(gateway, b"gsend.asp", LOGIN + b"&msg=hi&dst=" + ninety_nine).startswith(b"num=99&")


@pytest.mark.parametrize(
    ("account", "code"),
    [
        (Account("demo", "demo123", refusal=6002), 6002),
        (Account("demo", "demo123", networks=(ip_network("192.0.2.0/24"),)), 6012),
        (Account("demo", "demo123", networks=(ip_network("127.0.0.0/8"),)), 0),
        (Account("demo", "demo123", balance=1), 6013),
        (Account("demo", "demo123", balance=2), 0),
    ],
)
def test_an_account_has_its_own_limits(account: Account, code: int) -> None:
    with SimulatedGateway([account]) as gateway:
        said = answer(gateway, b"gsend.asp", LOGIN + b"&msg=hi&dst=13900000001,13900000002")
    assert said.endswith(b"&errid=%d" % code)
    assert len(gateway.sent) == (0 if code else 2)


@pytest.mark.parametrize(
    ("phone", "txt", "length", "seen", "cost"),
    [
        ("13900000001", "", 60, 60, 1),
        ("13900000001", "", 61, 60, 1),
        ("01055500001", "", 41, 40, 1),
        ("075555500001", "", 40, 40, 1),
        ("13900000001", "ccdx", 61, 61, 2),
        ("13900000001", "ccdx", 60, 60, 1),
        ("13900000001", "ccdx", 300, 240, 4),
        ("13900000001", "other", 61, 60, 1),
    ],
)
def test_a_text_that_is_too_long_is_cut_and_a_long_one_costs_its_parts(
    gateway: SimulatedGateway, phone: str, txt: str, length: int, seen: int, cost: int
) -> None:
    answer(
        gateway, b"gsend.asp", b"%s&dst=%s&txt=%s&msg=%s" % (LOGIN, phone.encode(), txt.encode(), HELLO[:6] * length)
    )
    assert [len(text) for _, text in texts(gateway)] == [seen]
    assert gateway.account().balance == 10_000 - cost


def test_an_account_without_long_texts_has_them_cut() -> None:
    with SimulatedGateway([Account("demo", "demo123", long_texts=False)]) as gateway:
        answer(gateway, b"gsend.asp", LOGIN + b"&dst=13900000001&txt=ccdx&msg=" + b"a" * 100)
    assert texts(gateway) == [("13900000001", "a" * 60)]


def test_an_emoji_is_two_characters() -> None:
    with SimulatedGateway(charset="utf-8") as gateway:
        answer(gateway, b"gsend.asp", LOGIN + b"&dst=13900000001&msg=" + b"%F0%9F%98%80" * 31)
    assert texts(gateway) == [("13900000001", "😀" * 30)]


@pytest.mark.parametrize(
    ("service_number", "sender", "seen"),
    [
        ("10690000", "12345678", "1069000012345678"),
        ("106900001", "12345678", None),
        ("106900001", "1234567", "1069000011234567"),
    ],
)
def test_an_extension_comes_after_the_service_number_within_sixteen_digits(
    service_number: str, sender: str, seen: str | None
) -> None:
    with SimulatedGateway([Account("demo", "demo123", service_number=service_number)]) as gateway:
        answer(gateway, b"gsend.asp", LOGIN + b"&dst=13900000001&msg=hi&sender=" + sender.encode())
    assert [sent.sender for sent in gateway.sent] == ([seen] if seen else [])


@pytest.mark.parametrize(
    ("written", "at"),
    [
        (b"202603012100", datetime(2026, 3, 1, 13, 0, tzinfo=UTC)),
        (b"202701010000", datetime(2026, 12, 31, 16, 0, tzinfo=UTC)),
        (b"202603011900", None),  # past
        (b"202602300000", None),
        (b"2026-03-01+21:00", None),
        (b"20260301210000", None),
        (b"000101010000", None),
        (b"", None),
    ],
)
def test_a_text_waits_for_its_time_in_china_and_goes_at_once_without_a_good_one(
    gateway: SimulatedGateway, clock: Clock, written: bytes, at: datetime | None
) -> None:
    answer(gateway, b"gsend.asp", LOGIN + b"&dst=13900000001&msg=hi&time=" + written)
    assert [(sent.at, sent.scheduled) for sent in gateway.sent] == [(at or START, at)]
    assert len(gateway.delivered) == (0 if at else 1)
    if at:
        clock.now = at
        assert gateway.delivered == gateway.sent


def test_a_phone_that_is_named_twice_gets_it_twice(gateway: SimulatedGateway) -> None:
    answer(gateway, b"gsend.asp", LOGIN + b"&dst=13900000001,13900000001&msg=hi")
    assert texts(gateway) == [("13900000001", "hi")] * 2


def test_names_of_parameters_and_pages_are_read_in_capitals_too(gateway: SimulatedGateway) -> None:
    answer(gateway, b"GSend.ASP", b"NAME=demo&Pwd=demo123&DST=13900000001&Msg=hi")
    assert texts(gateway) == [("13900000001", "hi")]


def test_a_form_is_taken_as_a_query_is(gateway: SimulatedGateway) -> None:
    response = posted(gateway, b"gsend.asp", LOGIN + b"&dst=13900000001&msg=" + HELLO)
    assert response.body.startswith(b"num=1&")
    assert (texts(gateway), [call.method for call in gateway.calls]) == ([("13900000001", "你好")], ["POST"])


def test_post_may_be_refused_or_ignored() -> None:
    form = LOGIN + b"&dst=13900000001&msg=hi"
    with SimulatedGateway(post="refused") as gateway:
        assert posted(gateway, b"gsend.asp", form).status == 405
    assert (gateway.sent, gateway.calls) == ([], [])
    with SimulatedGateway(post="ignored") as gateway:
        assert posted(gateway, b"gsend.asp", form).body.endswith(b"&errid=6001")
    assert gateway.sent == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HELLO, b"errid=0&err="),
        (b"%B4%FA%BF%AA%B7%A2%C6%B1", gbk("errid=6005&err=代开发票")),
        (b"%B0%FC%D4%C2", gbk("errid=6022&err=疑似SP业务：含有“包月”")),
        (b"", gbk("errid=6014&err=内容为空")),
        (b"a" * 540, b"errid=0&err="),
        (b"a" * 541, gbk("errid=6015&err=内容过长")),
    ],
)
def test_a_text_is_checked(gateway: SimulatedGateway, content: bytes, said: bytes) -> None:
    assert answer(gateway, b"checkcontent.asp", LOGIN + b"&content=" + content) == said


def test_the_balance_comes_with_the_short_name(gateway: SimulatedGateway) -> None:
    assert answer(gateway, b"getfee.asp") == gbk("id=10000&err=&errid=0&short=演示")
    assert answer(gateway, b"getfee.asp", b"name=demo&pwd=x") == gbk("id=-9999&err=密码错误&errid=6003&short=")


def test_utf_8_is_read_and_written_where_it_is_the_charset() -> None:
    with SimulatedGateway(charset="utf-8") as gateway:
        assert answer(gateway, b"getfee.asp") == "id=10000&err=&errid=0&short=演示".encode()
        answer(gateway, b"gsend.asp", LOGIN + b"&dst=13900000001&msg=%E4%BD%A0%E5%A5%BD")
    assert texts(gateway) == [("13900000001", "你好")]


def test_a_reply_is_read_once_with_nothing_in_it_escaped(gateway: SimulatedGateway, clock: Clock) -> None:
    assert gateway.put_reply("13900000001", "1069000012", "要！a&b=c 100%") == "9586"
    gateway.put_reply("13900000002", "10690000", b"\xff\x00raw")
    clock.forward(60)
    first = b"id=9586&err=&src=13900000001&msg=\xd2\xaa\xa3\xa1a&b=c 100%&dst=1069000012&time=202603012000"
    assert (gateway.unread(), answer(gateway, b"readsms.asp"), gateway.unread()) == (2, first, 1)
    clock.forward(5.1)
    second = b"id=9587&err=&src=13900000002&msg=\xff\x00raw&dst=10690000&time=202603012000"
    assert answer(gateway, b"readsms.asp") == second
    clock.forward(5.1)
    assert answer(gateway, b"readsms.asp") == b"id=0&err=&src=&msg=&dst=&time="
    assert gateway.violations == []


@pytest.mark.parametrize(("seconds", "violations"), [(4.9, 1), (5.0, 1), (5.1, 0)])
def test_reading_within_five_seconds_of_the_last_answer_is_a_violation_and_reads_nothing(
    gateway: SimulatedGateway, clock: Clock, seconds: float, violations: int
) -> None:
    answer(gateway, b"readsms.asp")
    gateway.put_reply("13900000001", "10690000", "hi")
    clock.forward(seconds)
    said = answer(gateway, b"readsms.asp")
    assert (len(gateway.violations), gateway.unread()) == (violations, violations)
    if violations:
        assert said == gbk("id=0&err=读取间隔须大于5秒&src=&msg=&dst=&time=")
        assert gateway.violations[0].seconds == pytest.approx(seconds)


def test_a_violation_is_an_answer_too_so_that_the_next_call_waits_again(
    gateway: SimulatedGateway, clock: Clock
) -> None:
    for _ in range(3):
        answer(gateway, b"readsms.asp")
        clock.forward(4)
    assert len(gateway.violations) == 2


def test_other_pages_and_other_accounts_do_not_make_a_read_too_soon(clock: Clock) -> None:
    with SimulatedGateway([DEMO, Account("other", "other123")], clock=clock) as gateway:
        gateway.put_reply("13900000001", "10690000", "hi", account="other")
        answer(gateway, b"readsms.asp")
        answer(gateway, b"getfee.asp", b"name=other&pwd=other123")
        assert b"msg=hi" in answer(gateway, b"readsms.asp", b"name=other&pwd=other123")
    assert gateway.violations == []


@pytest.mark.parametrize(("new", "code"), [("12345", 0), ("1234", 6016), ("", 6016), ("a" * 19, 0), ("a" * 20, 6016)])
def test_a_password_is_changed_where_it_is_long_enough(gateway: SimulatedGateway, new: str, code: int) -> None:
    assert answer(gateway, b"cpwd.asp", LOGIN + b"&newpwd=" + new.encode()).startswith(b"errid=%d&err=" % code)
    assert gateway.account().password == (new if code == 0 else "demo123")
    assert answer(gateway, b"getfee.asp").startswith(b"id=10000" if code else b"id=-9999")


def test_every_call_is_on_record(gateway: SimulatedGateway) -> None:
    for page in Page:
        answer(gateway, f"{page}.asp".encode())
    assert [call.page for call in gateway.calls] == list(Page)
    assert {call.number for call in gateway.calls} == set(range(5))


def test_no_password_is_in_what_is_kept(gateway: SimulatedGateway) -> None:
    answer(gateway, b"getfee.asp")
    assert "demo123" not in repr((gateway.calls, gateway.accounts))

"""What the gateway sends, byte for byte, what it is answered, and what is stored (protocol.md §1, §8, §9)."""

# ruff: noqa: E501 — a case is one line

from dataclasses import dataclass
from urllib.parse import quote_from_bytes

import pytest

from tests.callback.conftest import Receiver
from tests.callback.raw import Response, ask, post


@dataclass(frozen=True)
class Reply:
    """A request that is answered 0, and the row that it leaves."""

    label: str
    target: bytes
    text: str
    charset: str
    certain: bool
    src: str
    kind: str = "reply"
    dst: str = "10690001"


U, G = "utf-8", "gb18030"

REPLIES = [
    # charsets
    Reply("ASCII", b"/recv.asp?src=13900000101&dst=10690001&msg=YES", "YES", U, True, "+8613900000101"),
    Reply("UTF-8", b"/recv.asp?src=13900000102&dst=10690001&msg=%E4%BD%A0%E5%A5%BD", "你好", U, True, "+8613900000102"),
    Reply("GBK", b"/recv.asp?src=13900000103&dst=10690001&msg=%C4%E3%BA%C3", "你好", G, True, "+8613900000103"),
    Reply("GBK that is UTF-8 too", b"/recv.asp?src=13900000104&dst=10690001&msg=%CD%A3", "停", G, False, "+8613900000104"),
    Reply("谢谢 in GBK", b"/recv.asp?src=13900000105&dst=10690001&msg=%D0%BB%D0%BB", "谢谢", G, False, "+8613900000105"),
    Reply("lower-case escapes", b"/recv.asp?src=13900000106&dst=10690001&msg=%c4%e3", "你", G, True, "+8613900000106"),
    Reply("the euro byte", b"/recv.asp?src=13900000107&dst=10690001&msg=%80%BA%C3", "€好", G, True, "+8613900000107"),
    Reply("four-byte GB18030", b"/recv.asp?src=13900000108&dst=10690001&msg=%95%32%82%36", "𠀀", G, True, "+8613900000108"),
    Reply("emoji, GB18030", b"/recv.asp?src=13900000109&dst=10690001&msg=%94%39%FC%36", "😀", G, True, "+8613900000109"),
    Reply("emoji, UTF-8", b"/recv.asp?src=13900000110&dst=10690001&msg=%F0%9F%98%80", "😀", U, True, "+8613900000110"),
    Reply("broken bytes", b"/recv.asp?src=13900000111&dst=10690001&msg=a%FF%FEb", "a\ufffd\ufffdb", U, False, "+8613900000111"),
    # raw bytes in the request line
    Reply("raw GBK", b"/recv.asp?src=13900000121&dst=10690001&msg=\xc4\xe3\xba\xc3", "你好", G, True, "+8613900000121"),
    Reply("raw UTF-8", b"/recv.asp?src=13900000122&dst=10690001&msg=\xe4\xbd\xa0", "你", U, True, "+8613900000122"),
    Reply("raw broken bytes", b"/recv.asp?src=13900000123&dst=10690001&msg=\xff", "\ufffd", U, False, "+8613900000123"),
    Reply("spaces", b"/recv.asp?src=13900000124&dst=10690001&msg=I agree  now", "I agree  now", U, True, "+8613900000124"),
    Reply("a space at the end", b"/recv.asp?src=13900000125&dst=10690001&msg=ok ", "ok ", U, True, "+8613900000125"),
    Reply("a raw NUL", b"/recv.asp?src=13900000126&dst=10690001&msg=a\x00b", "a␀b", U, True, "+8613900000126"),
    Reply("raw controls", b"/recv.asp?src=13900000127&dst=10690001&msg=\x01\t\x7f", "␁\t␡", U, True, "+8613900000127"),
    Reply("a raw carriage return", b"/recv.asp?src=13900000128&dst=10690001&msg=a\rb", "a\rb", U, True, "+8613900000128"),
    Reply("a number sign", b"/recv.asp?src=13900000129&dst=10690001&msg=a#b", "a#b", U, True, "+8613900000129"),
    Reply("quotes and brackets", b'/recv.asp?src=13900000130&dst=10690001&msg="<{[\\|^`]}>"', '"<{[\\|^`]}>"', U, True, "+8613900000130"),
    Reply("a question mark", b"/recv.asp?src=13900000131&dst=10690001&msg=a?b=c", "a?b=c", U, True, "+8613900000131"),
    Reply("HTTP in the text", b"/recv.asp?src=13900000132&dst=10690001&msg=a HTTP/1.1 b", "a HTTP/1.1 b", U, True, "+8613900000132"),
    # escapes
    Reply("plus", b"/recv.asp?src=13900000141&dst=10690001&msg=a+b%2Bc", "a b+c", U, True, "+8613900000141"),
    Reply("a lone percent sign", b"/recv.asp?src=13900000142&dst=10690001&msg=100%", "100%", U, True, "+8613900000142"),
    Reply("JavaScript's escape", b"/recv.asp?src=13900000143&dst=10690001&msg=%u4F60%u597D", "你好", U, True, "+8613900000143"),
    Reply("a surrogate pair", b"/recv.asp?src=13900000144&dst=10690001&msg=%uD83D%uDE00", "😀", U, True, "+8613900000144"),
    Reply("a lone surrogate", b"/recv.asp?src=13900000145&dst=10690001&msg=a%uD83Db", "a\ufffdb", U, False, "+8613900000145"),
    Reply("an escaped NUL", b"/recv.asp?src=13900000146&dst=10690001&msg=%00a%00", "␀a␀", U, True, "+8613900000146"),
    Reply("line ends", b"/recv.asp?src=13900000147&dst=10690001&msg=a%0D%0Ab", "a\r\nb", U, True, "+8613900000147"),
    Reply("a person typed %41", b"/recv.asp?src=13900000148&dst=10690001&msg=%2541", "%41", U, True, "+8613900000148"),
    # parameters
    Reply("an empty text", b"/recv.asp?src=13900000151&dst=10690001&msg=", "", U, True, "+8613900000151"),
    Reply("a bare &", b"/recv.asp?src=13900000152&dst=10690001&msg=A&B", "A&B", U, True, "+8613900000152"),
    Reply("& and = in the text", b"/recv.asp?src=13900000153&dst=10690001&msg=a&b=c&&d", "a&b=c&&d", U, True, "+8613900000153"),
    Reply("& before another parameter", b"/recv.asp?msg=A&B&src=13900000154&dst=10690001", "A&B", U, True, "+8613900000154"),
    Reply("any order, any case", b"/recv.asp?MSG=hi&Dst=10690001&SRC=13900000155", "hi", U, True, "+8613900000155"),
    Reply("unknown before msg", b"/recv.asp?x=1&src=13900000156&y&dst=10690001&msg=hi", "hi", U, True, "+8613900000156"),
    Reply("known name without =", b"/recv.asp?src=13900000157&dst=10690001&msg=A&src", "A&src", U, True, "+8613900000157"),
    Reply("repeated and equal", b"/recv.asp?src=13900000158&src=13900000158&dst=10690001&msg=a&msg=%61", "a", U, True, "+8613900000158"),
    Reply("an escaped name", b"/recv.asp?%73rc=13900000159&dst=10690001&msg=hi", "hi", U, True, "+8613900000159"),
    Reply("an extended service number", b"/recv.asp?src=13900000160&dst=1069000112345678&msg=a", "a", U, True, "+8613900000160",
          dst="1069000112345678"),
    Reply("an empty service number", b"/recv.asp?src=13900000161&dst=&msg=a", "a", U, True, "+8613900000161", dst=""),
    # senders
    Reply("a short code", b"/recv.asp?src=10086&dst=10690001&msg=a", "a", U, True, "10086"),
    Reply("letters", b"/recv.asp?src=GATEWAY&dst=10690001&msg=a", "a", U, True, "GATEWAY"),
    Reply("Chinese in GBK as the sender", b"/recv.asp?src=%D2%C6%B6%AF&dst=10690001&msg=a", "a", U, True, "移动"),
    Reply("PHS", b"/recv.asp?src=01062345678&dst=10690001&msg=a", "a", U, True, "+861062345678"),
    Reply("abroad", b"/recv.asp?src=%2B85291230170&dst=10690001&msg=a", "a", U, True, "+85291230170"),
    # unsubscribes
    Reply("0000", b"/recv.asp?src=13900000181&dst=10690001&msg=0000", "0000", U, True, "+8613900000181", "unsubscribe"),
    Reply("full-width, UTF-8", b"/recv.asp?src=13900000182&dst=10690001&msg=%EF%BC%90%EF%BC%90%EF%BC%90%EF%BC%90", "００００", U, True,
          "+8613900000182", "unsubscribe"),
    Reply("full-width, GBK", b"/recv.asp?src=13900000183&dst=10690001&msg=%A3%B0%A3%B0%A3%B0%A3%B0", "００００", G, True,
          "+8613900000183", "unsubscribe"),
    Reply("spaces and a line end around 0000", b"/recv.asp?src=13900000184&dst=10690001&msg=+0000%20%0D%0A", " 0000 \r\n", U, True,
          "+8613900000184", "unsubscribe"),
    Reply("zero-width around 0000", b"/recv.asp?src=13900000185&dst=10690001&msg=%E2%80%8B0000%EF%BB%BF", "\u200b0000\ufeff", U, True,
          "+8613900000185", "unsubscribe"),
    Reply("a NUL after 0000", b"/recv.asp?src=13900000186&dst=10690001&msg=0000%00", "0000␀", U, True, "+8613900000186", "unsubscribe"),
    Reply("0000 by JavaScript", b"/recv.asp?src=13900000187&dst=10690001&msg=%u0030000", "0000", U, True, "+8613900000187", "unsubscribe"),
    Reply("0000 and a bare &", b"/recv.asp?src=13900000188&dst=10690001&msg=0000&", "0000&", U, True, "+8613900000188", "unsubscribe"),
    Reply("0000 by a short code", b"/recv.asp?src=12306&dst=10690001&msg=0000", "0000", U, True, "12306", "unsubscribe"),
    Reply("00000 is a reply", b"/recv.asp?src=13900000191&dst=10690001&msg=00000", "00000", U, True, "+8613900000191"),
    Reply("0000元 is a reply", b"/recv.asp?src=13900000192&dst=10690001&msg=0000%D4%AA", "0000元", G, False, "+8613900000192"),
    Reply("退订 is no keyword here", b"/recv.asp?src=13900000193&dst=10690001&msg=%CD%CB%B6%A9", "退订", G, True, "+8613900000193"),
]  # fmt: skip


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: reply.label)
def test_a_reply_is_answered_0_and_stored_as_it_was_meant(receiver_on_each: Receiver, reply: Reply) -> None:
    assert_number(receiver_on_each.get(reply.target), 0)
    (row,) = receiver_on_each.stored.messages(src=reply.src)
    stored = (row.text, row.charset, row.charset_certain, row.kind, row.dst)
    assert stored == (reply.text, reply.charset, reply.certain, reply.kind, reply.dst)
    assert (row.origin, row.peer, row.duplicate_of) == ("push", "127.0.0.1", None)
    assert receiver_on_each.stored.is_opted_out(reply.src) == (reply.kind == "unsubscribe")


def test_the_raw_bytes_are_kept_beside_the_text_escapes_and_all(receiver_on_each: Receiver) -> None:
    receiver_on_each.get(b"/recv.asp?src=+86-13900000201&dst=10690001&msg=%CD\xa3+%u6B62%00&x")
    (row,) = receiver_on_each.stored.messages(src="+8613900000201")
    assert row.raw == b"%CD\xa3+%u6B62%00&x"
    assert row.src_wire == " 86-13900000201"


LONG = ["收到" * 400, "😀" * 650, "a" * 8_000]


@pytest.mark.parametrize("text", LONG, ids=["Chinese", "emoji", "ASCII"])
def test_a_text_of_almost_8_kb_is_whole(receiver_on_each: Receiver, text: str) -> None:
    escaped = quote_from_bytes(text.encode()).encode()
    phone = b"1390000021%d" % LONG.index(text)
    assert len(escaped) > 7_000
    assert_number(receiver_on_each.get(b"/recv.asp?src=" + phone + b"&dst=10690001&msg=" + escaped), 0)
    (row,) = receiver_on_each.stored.messages(src="+86" + phone.decode())
    assert row.text == text


WRITTEN = [
    b"13900000220", b"8613900000220", b"+8613900000220", b"008613900000220", b"%2B8613900000220", b" 8613900000220",
    b"139%200000%200220", b"139-0000-0220", b"%EF%BC%91%EF%BC%93%EF%BC%99%EF%BC%90%EF%BC%90%EF%BC%90%EF%BC%90%EF%BC%90%EF%BC%92%EF%BC%92%EF%BC%90",
    b"%A3%B1%A3%B3%A3%B9%A3%B0%A3%B0%A3%B0%A3%B0%A3%B0%A3%B2%A3%B2%A3%B0", b"013900000220",
]  # fmt: skip


def test_every_written_form_of_a_phone_is_one_subscriber(receiver_on_each: Receiver) -> None:
    for number, written in enumerate(WRITTEN):
        assert_number(receiver_on_each.get(b"/recv.asp?src=%s&dst=10690001&msg=form+%d" % (written, number)), 0)
    rows = receiver_on_each.stored.messages(src="+8613900000220")
    assert [row.text for row in rows] == [f"form {number}" for number in range(len(WRITTEN))]
    assert rows[5].src_wire == " 8613900000220"


def test_an_unsubscribe_is_in_force_for_the_subscriber_however_the_number_was_written(
    receiver_on_each: Receiver,
) -> None:
    assert_number(receiver_on_each.get(b"/recv.asp?src=0086139-0000-0230&dst=10690001&msg=0000"), 0)
    assert_number(receiver_on_each.get(b"/recv.asp?src=13900000230&dst=10690002&msg=0000"), 0)
    assert receiver_on_each.stored.is_opted_out("+8613900000230")
    assert [row.kind for row in receiver_on_each.stored.messages(src="+8613900000230")] == ["unsubscribe"] * 2


def test_the_same_again_is_stored_flagged_and_answered_0(receiver_on_each: Receiver) -> None:
    target = b"/recv.asp?src=13900000240&dst=10690001&msg=%C4%E3"
    for again in (
        target,
        target,
        b"/recv.asp?src=%2B8613900000240&dst=10690001&msg=%C4%E3",  # the same phone in another form
        b"/recv.asp?src=13900000240&dst=10690002&msg=%C4%E3",  # to another service number
        b"/recv.asp?src=13900000240&dst=10690001&msg=%E4%BD%A0",  # the same text in other bytes
        b"/recv.asp?src=13900000241&dst=10690001&msg=%C4%E3",  # from another phone
    ):
        assert_number(receiver_on_each.get(again), 0)
    first, *others = receiver_on_each.stored.messages(src="+8613900000240")
    assert first.duplicate_of is None
    assert [row.duplicate_of for row in others] == [first.id, first.id, None, None]
    assert receiver_on_each.stored.messages(src="+8613900000241")[0].duplicate_of is None


@dataclass(frozen=True)
class Unusable:
    """A request that is answered -1 and kept in quarantine."""

    label: str
    query: bytes
    reason: str
    unsubscribes: str | None = None


UNUSABLE = [
    Unusable("src missing", b"dst=10690001&msg=a01", "missing-src"),
    Unusable("src empty", b"src=&dst=10690001&msg=a02", "missing-src"),
    Unusable("src of spaces", b"src=+%20&dst=10690001&msg=a03", "missing-src"),
    Unusable("dst missing", b"src=13900000304&msg=a04", "missing-dst"),
    Unusable("msg missing", b"src=13900000305&dst=10690001", "missing-msg"),
    Unusable("msg without =", b"src=13900000306&dst=10690001&msg", "missing-msg"),
    Unusable("nothing known", b"from=13900000307&to=1069&text=a07", "missing-src"),
    Unusable("a word", b"a08", "missing-src"),
    Unusable("bytes", b"\x00\xff \x7f#%", "missing-src"),
    Unusable("src twice, different", b"src=13900000310&src=13900000399&dst=10690001&msg=a", "conflicting-parameters"),
    Unusable("msg twice, different", b"src=13900000311&dst=10690001&msg=a&msg=b", "conflicting-parameters"),
    Unusable("dst twice, different", b"src=13900000312&dst=10690001&dst=10690002&msg=a", "conflicting-parameters"),
    Unusable("a sender of 101 characters", b"src=" + b"x" * 101 + b"&dst=10690001&msg=a13", "unusable-src"),
    Unusable("a service number of 101 characters", b"src=13900000314&dst=" + b"1" * 101 + b"&msg=a", "unusable-dst"),
    Unusable("0000 without dst", b"src=8613900000321&msg=0000", "missing-dst", "+8613900000321"),
    Unusable("0000 full-width without dst", b"src=13900000322&msg=%A3%B0%A3%B0%A3%B0%A3%B0", "missing-dst", "+8613900000322"),
    Unusable("0000 and another text", b"src=13900000323&dst=10690001&msg=0000&msg=b", "conflicting-parameters", "+8613900000323"),
    Unusable("0000 to two service numbers", b"src=13900000324&dst=1&dst=2&msg=0000", "conflicting-parameters", "+8613900000324"),
    Unusable("0000 by one phone in two forms", b"src=13900000325&src=%2B8613900000325&dst=1&msg=0000", "conflicting-parameters",
             "+8613900000325"),
    Unusable("0000 by either of two phones", b"src=13900000326&src=13900000327&dst=10690001&msg=0000", "conflicting-parameters"),
    Unusable("0000 by nobody", b"dst=10690001&msg=0000", "missing-src"),
    Unusable("0000 by no phone, without dst", b"src=GATEWAY&msg=0000", "missing-dst"),
]  # fmt: skip


@pytest.mark.parametrize("case", UNUSABLE, ids=lambda case: case.label)
def test_what_is_unusable_is_answered_minus_1_and_kept(receiver_on_each: Receiver, case: Unusable) -> None:
    before = len(receiver_on_each.stored.messages())
    assert_number(receiver_on_each.get(b"/recv.asp?" + case.query), -1)
    (kept,) = receiver_on_each.stored.quarantined(raw=case.query)
    assert (kept.reason, kept.unsubscribes, kept.peer) == (case.reason, case.unsubscribes, "127.0.0.1")
    assert len(receiver_on_each.stored.messages()) == before
    if case.unsubscribes is not None:
        assert receiver_on_each.stored.is_opted_out(case.unsubscribes)


def test_a_request_without_a_query_is_kept_too(receiver_on_each: Receiver) -> None:
    assert_number(receiver_on_each.get(b"/recv.asp"), -1)
    assert receiver_on_each.stored.quarantined(raw=b"")[0].reason == "missing-src"


FORMS = [
    ("GBK", post(b"/recv.asp", b"src=13900000401&dst=10690001&msg=%C4%E3%BA%C3"), "你好", "+8613900000401"),
    ("raw GBK", post(b"/recv.asp", b"src=13900000402&dst=10690001&msg=\xc4\xe3\xba\xc3"), "你好", "+8613900000402"),
    ("UTF-8", post(b"/recv.asp", b"src=13900000403&dst=10690001&msg=%E4%BD%A0"), "你", "+8613900000403"),
    ("partly in the query", post(b"/recv.asp?src=13900000404&dst=10690001", b"msg=hi"), "hi", "+8613900000404"),
    ("all in the query", post(b"/recv.asp?src=13900000405&dst=10690001&msg=hi", b""), "hi", "+8613900000405"),
    (
        "a charset in its type, which is not believed",
        post(
            b"/recv.asp",
            b"src=13900000406&dst=10690001&msg=%C4%E3",
            b"Content-Type: application/x-www-form-urlencoded; charset=utf-8",
        ),
        "你",
        "+8613900000406",
    ),
    (
        "no type",
        post(b"/recv.asp", b"src=13900000407&dst=10690001&msg=hi", b"User-Agent: gateway"),
        "hi",
        "+8613900000407",
    ),
]


@pytest.mark.parametrize(("request_bytes", "text", "src"), [pytest.param(*case[1:], id=case[0]) for case in FORMS])
def test_a_form_is_accepted_like_a_query(receiver_on_each: Receiver, request_bytes: bytes, text: str, src: str) -> None:
    assert_number(ask(receiver_on_each.port, request_bytes), 0)
    (row,) = receiver_on_each.stored.messages(src=src)
    assert row.text == text


def test_the_service_and_its_health_answer_on_each_database(receiver_on_each: Receiver) -> None:
    assert [receiver_on_each.get(path).status for path in (b"/healthz", b"/readyz")] == [200, 200]


def assert_number(response: Response, number: int) -> None:
    """The answer is exactly as protocol.md §1 has it: one number, 200, text/plain, no newline."""
    body = str(number).encode()
    assert (response.status, response.body) == (200, body)
    assert response.header("Content-Type") == ["text/plain"]
    assert response.header("Content-Length") == [str(len(body))]
    assert response.header("Transfer-Encoding") == []

"""What the client puts on the wire, and what it refuses to (protocol.md §2 to §6)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from receiver.gateway import Gateway, Unsendable
from tests.gateway.client.conftest import Answers, client
from tests.gateway.client.wire import http

LOGIN = b"name=shop&pwd=S3cret%26pass"
SENT = http(b"num=1&success=13900000001&faile=&err=&errid=0")
NOON = datetime(2030, 1, 31, 12, 0, tzinfo=timezone(timedelta(hours=8)))
NOW = datetime(2030, 1, 31, 3, 59, 59, tzinfo=UTC)

CALLS: list[tuple[str, Callable[[Gateway], Any], str, bytes, bytes]] = [
    # what it is, call, page, parameters on the wire, answer
    (
        "a send",
        lambda gateway: gateway.send(["13900000001", "13900000002"], "Hello"),
        "/send/gsend.asp",
        b"&dst=13900000001,13900000002&msg=Hello",
        SENT,
    ),
    (
        "a send with all there is",
        lambda gateway: gateway.send(["13900000001"], "a" * 240, at=NOON, sender="12345678", long=True),
        "/send/gsend.asp",
        b"&dst=13900000001&msg=" + b"a" * 240 + b"&time=203001311200&sender=12345678&txt=ccdx",
        SENT,
    ),
    (
        "signs that part parameters",
        lambda gateway: gateway.send(["13900000001"], "a&b=c+d e%20#?/;\r\n\t"),
        "/send/gsend.asp",
        b"&dst=13900000001&msg=a%26b%3Dc%2Bd%20e%2520%23%3F%2F%3B%0D%0A%09",
        SENT,
    ),
    (
        "a check",
        lambda gateway: gateway.check_content("你好"),
        "/send/checkcontent.asp",
        b"&content=%C4%E3%BA%C3",
        http(b"errid=0&err="),
    ),
    ("the balance", Gateway.balance, "/send/getfee.asp", b"", http(b"id=1&errid=0")),
    ("a reply", Gateway.read_reply, "/send/readsms.asp", b"", http(b"id=0&err=")),
    (
        "a new password",
        lambda gateway: gateway.change_password("n&w=+%1"),
        "/send/cpwd.asp",
        b"&newpwd=n%26w%3D%2B%251",
        http(b"errid=0"),
    ),
]


@pytest.mark.parametrize(("call", "path", "parameters", "answer"), [pytest.param(*c[1:], id=c[0]) for c in CALLS])
def test_a_call_is_written_so(
    call: Callable[[Gateway], Any], path: str, parameters: bytes, answer: bytes, answers: Answers
) -> None:
    server = answers(answer)
    call(client(server, method="post", clock=lambda: NOW))
    call(client(server, method="get", clock=lambda: NOW))
    posted, got = server.asked
    assert (posted.method, posted.line) == ("POST", b"POST " + path.encode() + b" HTTP/1.1")
    assert posted.body == LOGIN + parameters
    assert b"\r\nContent-Type: application/x-www-form-urlencoded\r\n" in posted.headers
    assert got.line == b"GET " + path.encode() + b"?" + LOGIN + parameters + b" HTTP/1.1"
    assert got.body == b""
    for asked in (posted, got):
        assert b"Host: 127.0.0.1:%d\r\n" % server.port in asked.headers
        assert b"\r\nConnection: close" in asked.headers
        assert b"pwd" not in asked.headers


@pytest.mark.parametrize(
    ("charset", "text", "wire"),
    [
        ("gb18030", "你好", b"%C4%E3%BA%C3"),
        ("gbk", "你好", b"%C4%E3%BA%C3"),
        ("utf-8", "你好", b"%E4%BD%A0%E5%A5%BD"),
        # The second byte is a letter: it must stay with the first.
        ("gbk", "丂a", b"%81%40a"),
        ("gbk", "丄", b"%81%41"),
        ("gb18030", "😀", b"%94%39%FC%36"),
        ("utf-8", "😀", b"%F0%9F%98%80"),
        ("gb18030", "€", b"%A2%E3"),
    ],
)
def test_a_text_is_written_in_the_gateways_charset(charset: str, text: str, wire: bytes, answers: Answers) -> None:
    server = answers(SENT)
    client(server, charset=charset).send(["13900000001"], text)
    assert server.asked[0].form.partition(b"&msg=")[2] == wire


def test_the_folder_may_end_with_a_slash_or_not(answers: Answers) -> None:
    server = answers(http(b"id=1&errid=0"))
    for url in (f"http://127.0.0.1:{server.port}", f"http://127.0.0.1:{server.port}/", server.url, server.url[:-1]):
        Gateway(url, "shop", "password", method="get").balance()
    assert [asked.path for asked in server.asked] == ["/getfee.asp"] * 2 + ["/send/getfee.asp"] * 2


TIMES = [
    (datetime(2030, 1, 31, 4, 0, tzinfo=UTC), b"203001311200"),
    (datetime(2030, 1, 31, 4, 0, 0, 1, tzinfo=UTC), b"203001311201"),
    (datetime(2030, 1, 31, 4, 0, 59, tzinfo=UTC), b"203001311201"),
    (datetime(2030, 12, 31, 23, 59, 1, tzinfo=timezone(timedelta(hours=8))), b"203101010000"),
    (datetime(2030, 1, 31, 0, 30, tzinfo=timezone(timedelta(hours=-5))), b"203001311330"),
    (NOW, b"203001311200"),
]


@pytest.mark.parametrize(("at", "wire"), TIMES)
def test_a_time_is_chinas_and_never_sooner_than_asked(at: datetime, wire: bytes, answers: Answers) -> None:
    server = answers(SENT)
    client(server, clock=lambda: NOW).send(["13900000001"], "a", at=at)
    assert server.asked[0].parameters["time"] == wire


def sending(*phones: str, text: str = "a", **options: Any) -> Callable[[Gateway], Any]:
    return lambda gateway: gateway.send(phones or ("13900000001",), text, **options)


MOBILES = [f"139{number:08}" for number in range(100)]
REFUSED: list[tuple[str, Callable[[Gateway], Any], str]] = [
    ("no phone", lambda gateway: gateway.send([], "a"), "no phone"),
    ("100 phones", sending(*MOBILES), "99"),
    ("an empty phone", sending("13900000001", ""), "digits"),
    ("a phone with a plus", sending("13900000002", "+8613900000001"), "phone 2 of 2 .* digits"),
    ("a comma within", sending("13900000001,13900000002"), "digits"),
    ("full-width digits", sending("１３９００００００１"), "digits"),
    ("one phone twice", sending("13900000001", "13900000001"), "twice"),
    ("PHS beside mobiles", sending("13900000001", "01055500001"), "PHS"),
    ("no text", sending(text=""), "empty"),
    ("61 characters", sending(text="你" * 61), "61 characters, 60 "),
    ("31 emoji, of which each is two", sending(text="😀" * 31), "62 characters, 60 "),
    ("41 characters to PHS", sending("01055500001", text="a" * 41), "41 characters, 40 "),
    ("241 characters", sending(text="a" * 241, long=True), "241 characters, 240 "),
    ("a NUL", sending(text="a\x00"), r"U\+0000"),
    ("an escape", sending(text="a\x1b"), r"U\+001B"),
    ("a control character above ASCII", sending(text="a\x85"), r"U\+0085"),
    ("half a character", sending(text="a\ud83d"), r"U\+D83D"),
    ("a time without a zone", sending(at=datetime(2040, 1, 1)), "zone"),  # noqa: DTZ001
    ("a time that is past", sending(at=NOW - timedelta(microseconds=1)), "past"),
    ("a time at the end of all", sending(at=datetime.max.replace(tzinfo=UTC)), "far"),
    ("an empty extension", sending(sender=""), "1 to 8 digits"),
    ("9 extension digits", sending(sender="123456789"), "1 to 8 digits"),
    ("letters as an extension", sending(sender="12a"), "1 to 8 digits"),
    ("full-width digits as an extension", sending(sender="１"), "1 to 8 digits"),
    ("nothing to check", lambda gateway: gateway.check_content(""), "empty"),
    ("541 characters to check", lambda gateway: gateway.check_content("a" * 541), "541 characters, 540 "),
    ("a new password of 4", lambda gateway: gateway.change_password("abcd"), "4 characters: choose 5 to 19"),
    ("a new password of 20", lambda gateway: gateway.change_password("a" * 20), "20 characters"),
    ("a new password in Chinese", lambda gateway: gateway.change_password("密码密码密"), "ASCII"),
    ("a new password with a space", lambda gateway: gateway.change_password("pass word"), "ASCII"),
    ("a new password with a line end", lambda gateway: gateway.change_password("password\n"), "ASCII"),
]


@pytest.mark.parametrize(("call", "says"), [pytest.param(*case[1:], id=case[0]) for case in REFUSED])
def test_what_the_gateway_would_cut_or_misread_is_not_sent(
    call: Callable[[Gateway], Any], says: str, answers: Answers
) -> None:
    server = answers(SENT)
    with pytest.raises(Unsendable, match=says) as refused:
        call(client(server, clock=lambda: NOW))
    assert isinstance(refused.value, ValueError)
    assert "1390000" not in str(refused.value)
    assert "abcd" not in str(refused.value)
    assert server.asked == []


@pytest.mark.parametrize(
    ("charset", "char"), [("gbk", "😀"), ("gbk", "\u0e01"), ("gb18030", "\ud83d"), ("utf-8", "\udc80")]
)
def test_a_character_that_the_charset_lacks_is_named(charset: str, char: str, answers: Answers) -> None:
    server = answers(SENT)
    with pytest.raises(Unsendable, match=rf"U\+{ord(char):04X}.*{charset}"):
        client(server, charset=charset).send(["13900000001"], "a" + char)
    with pytest.raises(Unsendable, match="login") as named:
        Gateway(server.url, "shop" + char, "password", charset=charset).balance()
    assert f"U+{ord(char):04X}" in str(named.value)
    with pytest.raises(Unsendable, match="password") as hidden:
        Gateway(server.url, "shop", "password" + char, charset=charset).balance()
    assert f"{ord(char):04X}" not in str(hidden.value)
    assert char not in str(hidden.value)
    assert server.asked == []


@pytest.mark.parametrize(
    ("phones", "text", "long"),
    [
        (MOBILES[:99], "a", False),
        (["13900000001"], "你" * 60, False),
        (["13900000001"], "😀" * 30, False),
        (["01055500001"], "a" * 40, False),
        (["01055500001"], "a" * 240, True),
    ],
)
def test_what_just_fits_is_sent(phones: list[str], text: str, long: bool, answers: Answers) -> None:
    server = answers(SENT)
    client(server).send(phones, text, long=long)
    [asked] = server.asked
    assert asked.parameters["dst"].decode().split(",") == phones
    assert asked.parameters["msg"].decode("gb18030") == text


@pytest.mark.parametrize(
    "options",
    [
        {"url": url}
        for url in ("", "ftp://x/", "http://", "x", "http://u:p@x/", "http://x:0/", "http://x/?a", "http://x:y/")
    ]
    + [{"charset": "big5"}, {"method": "put"}, {"timeout": 0}],
)
def test_what_can_be_no_gateway_is_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"address|charset") as refused:
        Gateway(**{"url": "http://127.0.0.1/send/", "name": "shop", "password": "password", **options})
    assert "u:p" not in str(refused.value)

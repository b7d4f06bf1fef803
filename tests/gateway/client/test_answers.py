"""What the gateway answers to a send, a check, a look at the balance and a new password (protocol.md §2–§4, §6)."""

import pytest

from receiver.gateway import Balance, ContentVerdict, InDoubt, Refusal, SendAnswer, Unreadable
from receiver.gateway.client.parse import parse_balance, parse_change, parse_content, parse_send

A, B, C = "13900000001", "13900000002", "13900000003"
OK_GBK, OK_UTF_8 = b"\xb3\xc9\xb9\xa6", b"\xe6\x88\x90\xe5\x8a\x9f"  # 成功
WRONG_GBK, WRONG_UTF_8 = (
    b"\xc3\xdc\xc2\xeb\xb4\xed\xce\xf3",
    b"\xe5\xaf\x86\xe7\xa0\x81\xe9\x94\x99\xe8\xaf\xaf",
)  # 密码错误

SENT = [
    # what it is, body, num, accepted, refused, code, message
    ("the protocol's own", b"num=2&success=%b,%b&faile=&err=&errid=0", 2, (A, B), (), 0, ""),
    ("GBK", b"num=2&success=%b,%b&faile=&err=" + OK_GBK + b"&errid=0", 2, (A, B), (), 0, "成功"),
    ("UTF-8", b"num=2&success=%b,%b&faile=&err=" + OK_UTF_8 + b"&errid=0", 2, (A, B), (), 0, "成功"),
    ("GBK in escapes", b"num=2&success=%b,%b&faile=&err=%%B3%%C9%%b9%%a6&errid=0", 2, (A, B), (), 0, "成功"),
    (
        "UTF-8 in escapes",
        b"num=2&success=%b,%b&faile=&err=%%E6%%88%%90%%E5%%8A%%9F+1&errid=0",
        2,
        (A, B),
        (),
        0,
        "成功 1",
    ),
    ("escapes of no charset", b"num=2&success=%b,%b&faile=&err=100%%FF&errid=0", 2, (A, B), (), 0, "100%FF"),
    ("a literal percent and plus", b"num=2&success=%b,%b&faile=&err=1+1 %%41&errid=0", 2, (A, B), (), 0, "1+1 %41"),
    ("another order", b"errid=0&faile=&err=&success=%b,%b&num=2&", 2, (A, B), (), 0, ""),
    ("capitals", b"NUM=2&Success=%b,%b&FAILE=&Err=&ERRID=0", 2, (A, B), (), 0, ""),
    ("white space around", b"\r\n num = 2 & success = %b , %b & faile= &err=\t& errid = 0 \r\n", 2, (A, B), (), 0, ""),
    ("a byte order mark", b"\xef\xbb\xbfnum=2&success=%b,%b&faile=&err=&errid=0", 2, (A, B), (), 0, ""),
    ("a question mark before", b"?num=2&success=%b,%b&faile=&err=&errid=0", 2, (A, B), (), 0, ""),
    ("signs within err", b"num=2&success=%b,%b&faile=&err=a&b=c&&d&errid=0", 2, (A, B), (), 0, "a&b=c&&d"),
    ("signs within err at the end", b"num=2&success=%b,%b&errid=0&err=a=b&c", 2, (A, B), (), 0, "a=b&c"),
    ("err within err", b"num=2&success=%b,%b&err=a&err=b&errid=0", 2, (A, B), (), 0, "a&err=b"),
    ("unknown fields", b"x=1&num=2&y&success=%b,%b&faile=&taskid=7&err=&errid=0", 2, (A, B), (), 0, ""),
    ("a comma behind", b"num=2&success=%b,%b,&faile=,&err=&errid=0", 2, (A, B), (), 0, ""),
    ("a field twice alike", b"num=2&num=2&success=%b,%b&faile=&err=&errid=0", 2, (A, B), (), 0, ""),
    ("some refused", b"num=1&success=%b&faile=%b&err=&errid=6008", 1, (A,), (B,), 6008, ""),
    ("no lists", b"num=2&success=&faile=&err=&errid=0", 2, (), (), 0, ""),
    ("no errid", b"num=2&success=%b,%b&faile=&err=", 2, (A, B), (), None, ""),
    ("an empty errid", b"num=2&success=%b,%b&faile=&err=&errid=", 2, (A, B), (), None, ""),
    ("an errid that is none", b"num=2&success=%b,%b&faile=&err=&errid=none", 2, (A, B), (), None, ""),
    ("phones as the gateway writes them", b"num=2&success=+86%b,86%b&errid=0", 2, ("+86" + A, "86" + B), (), 0, ""),
    ("a list that is not complete", b"num=2&success=%b&faile=&errid=0", 2, (A,), (), 0, ""),
]


@pytest.mark.parametrize(("body", "num", "accepted", "refused", "code", "message"), [case[1:] for case in SENT])
def test_an_acceptance_is_read(
    body: bytes, num: int, accepted: tuple[str, ...], refused: tuple[str, ...], code: int | None, message: str
) -> None:
    phones = (A.encode(), B.encode())[: body.replace(b"%%", b"").count(b"%b")]
    for charset in ("gb18030", "gbk", "utf-8"):
        answer = parse_send(body % phones, charset, whole=True)
        assert answer == SendAnswer(num, accepted, refused, code, message)


REFUSED = [
    (b"num=0&success=&faile=13900000001&err=" + WRONG_GBK + b"&errid=6003", 6003, "密码错误"),
    (b"num=0&success=&faile=13900000001&err=" + WRONG_UTF_8 + b"&errid=6003", 6003, "密码错误"),
    (b"errid=6013&err=&num=0&faile=&success=\n", 6013, ""),
    (b"num=0&success=&faile=&err=&errid=7001", 7001, ""),
    (b"num=0&success=&faile=&err=why&errid=0", 0, "why"),
    (b"num=0&success=&faile=&err=why", 0, "why"),
    (b"num=0&err=why&errid=x", 0, "why"),
    (b"num=00&errid=6001", 6001, ""),
]


@pytest.mark.parametrize(("body", "code", "message"), REFUSED)
def test_num_0_is_a_refusal(body: bytes, code: int, message: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_send(body, "gb18030", whole=True)
    assert (refused.value.code, refused.value.message) == (code, message)


NOT_TO_BE_READ = [
    b"",
    b"\r\n",
    b"OK",
    b"0",
    b"num",
    b"num=",
    b"num=&success=13900000001&faile=&err=&errid=0",
    b"num=x&errid=0",
    b"num=1.5&errid=0",
    b"num=-1&errid=0",
    b"num=\xa3\xb2&errid=0",
    b"success=13900000001&faile=&err=&errid=0",
    b"errid=6003&err=no",
    b"<html><body>num=1&success=13900000001&errid=0</body></html>",
    b"\r\n<!DOCTYPE html>&num=1&errid=0",
    b"num=1&success=13900000001&num=0&errid=0",
    b"num=1&success=13900000001&success=13900000002&errid=0",
    # To take these for refused would have the phone texted again.
    b"num=0&success=13900000001&faile=&err=&errid=6003",
    b"num=1&success=13900000001,13900000002&faile=&err=&errid=0",
    b"num=1&success=13900000001&faile=13900000001&err=&errid=0",
]


@pytest.mark.parametrize("body", NOT_TO_BE_READ)
def test_a_send_without_a_clear_answer_is_in_doubt(body: bytes) -> None:
    with pytest.raises(Unreadable):
        parse_send(body, "gb18030", whole=True)


NEVER_ENDED = [
    # num may have been 12, 139… may have gone on.
    b"num=1",
    b"err=&errid=0&num=1",
    b"num=2&success=13900000001,1390000000",
    b"num=1&success=13900000001&faile=13900000002",
    b"num=0",
]


@pytest.mark.parametrize("body", NEVER_ENDED)
def test_a_deciding_field_whose_end_is_not_known_is_in_doubt(body: bytes) -> None:
    with pytest.raises(Unreadable):
        parse_send(body, "gb18030", whole=False)


@pytest.mark.parametrize("end", [b"&", b"\r\n", b"&err=", b"&errid=", b"&foo", b"&errid=0"])
def test_a_sign_behind_a_field_ends_it(end: bytes) -> None:
    answer = parse_send(b"num=1&success=13900000001&faile=13900000002" + end, "gb18030", whole=False)
    assert (answer.accepted, answer.refused) == ((A,), (B,))


VERDICTS = [
    (b"errid=0&err=", True, 0, ""),
    (b"errid=0&err=" + OK_GBK, True, 0, "成功"),
    (b"err=&ERRID=0", True, 0, ""),
    (b"errid=6005&err=%C3%DC%C2%EB", False, 6005, "密码"),
    (b"errid=6005&err=a&b", False, 6005, "a&b"),
    (b"\xef\xbb\xbferrid=6022&err=" + WRONG_UTF_8 + b"\r\n", False, 6022, "密码错误"),
]


@pytest.mark.parametrize(("body", "allowed", "code", "reason"), VERDICTS)
def test_a_verdict_on_a_text_is_read(body: bytes, allowed: bool, code: int, reason: str) -> None:
    for whole in (True, False):
        assert parse_content(body, "gb18030", whole=whole) == ContentVerdict(allowed, code, reason)


@pytest.mark.parametrize(("charset", "reason"), [("gb18030", "停"), ("gbk", "停"), ("utf-8", "\u0363")])
def test_bytes_that_fit_both_charsets_are_read_in_the_one_that_is_set(charset: str, reason: str) -> None:
    assert parse_content(b"errid=6005&err=\xcd\xa3", charset, whole=True).reason == reason


def test_a_code_that_is_no_verdict_is_a_refusal() -> None:
    for code in (6001, 6003, 6014, 6015, 6020, 7777):
        with pytest.raises(Refusal, match=str(code)):
            parse_content(b"errid=%d&err=x" % code, "gb18030", whole=True)


@pytest.mark.parametrize("parse", [parse_content, parse_change])
@pytest.mark.parametrize(
    "body", [b"", b"err=fine", b"errid=&err=", b"errid=x&err=", b"errid=0&errid=6005", b"<p>errid=0"]
)
def test_without_a_code_nothing_is_known(parse: type, body: bytes) -> None:
    with pytest.raises(InDoubt):
        parse(body, "gb18030", whole=True)


def test_a_code_that_may_be_cut_is_none() -> None:
    for body in (b"errid=6", b"err=&errid=600", b"errid="):
        with pytest.raises(Unreadable):
            parse_content(body, "gb18030", whole=False)
    assert parse_content(b"err=&errid=6005", "gb18030", whole=False).code == 6005


BALANCES = [
    (b"id=9586&err=&errid=0&short=" + b"\xc4\xe3\xba\xc3", Balance(9586, "你好")),
    (b"id=9586&err=&errid=0&short=\xe4\xbd\xa0\xe5\xa5\xbd", Balance(9586, "你好")),
    (b"id=9586&err=&errid=0&short=%C4%E3%BA%C3", Balance(9586, "你好")),
    (b"short=&errid=0&id=0&err=", Balance(0, "")),
    (b"ID=-5&ERRID=0", Balance(-5, "")),
    (b"id=12", Balance(12, "")),
]


@pytest.mark.parametrize(("body", "balance"), BALANCES)
def test_a_balance_is_read_as_it_came(body: bytes, balance: Balance) -> None:
    assert parse_balance(body, "gb18030", whole=True) == balance


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"id=-9999&err=&errid=6017&short=", 6017),
        (b"id=-9999&err=&errid=0&short=", 0),
        (b"id=-9999", 0),
        (b"id=0&err=&errid=6003&short=", 6003),
    ],
)
def test_a_balance_that_failed_is_a_refusal(body: bytes, code: int) -> None:
    with pytest.raises(Refusal) as refused:
        parse_balance(body, "gb18030", whole=True)
    assert refused.value.code == code


@pytest.mark.parametrize("body", [b"id=95", b"err=&errid=0&id=95", b"id=0&err=no", b"id=0&errid=600", b"id=&errid=0&"])
def test_a_balance_that_may_be_cut_is_none(body: bytes) -> None:
    with pytest.raises(Unreadable):
        parse_balance(body, "gb18030", whole=False)


def test_a_new_password_is_taken_or_refused() -> None:
    parse_change(b"errid=0&err=", "gb18030", whole=True)
    with pytest.raises(Refusal) as refused:
        parse_change(b"errid=6016&err=" + WRONG_GBK, "gb18030", whole=True)
    assert (refused.value.code, refused.value.message) == (6016, "密码错误")


def test_what_a_person_would_not_see_is_shown() -> None:
    assert parse_content(b"errid=6005&err=a\x00b\x1b[2J", "gb18030", whole=True).reason == "a␀b␛[2J"


def test_no_repr_holds_a_phone_or_a_text() -> None:
    answer = parse_send(b"num=1&success=13900000001&faile=13900000002&err=word&errid=0", "gb18030", whole=True)
    assert "1390000" not in repr(answer)
    assert "word" not in repr(answer)
    assert "word" not in repr(parse_content(b"errid=6005&err=word", "gb18030", whole=True))

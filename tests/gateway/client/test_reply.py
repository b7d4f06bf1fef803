"""What readsms.asp answers: one reply, whose text may look like the fields around it (protocol.md §5)."""

from datetime import UTC, datetime
from itertools import permutations

import pytest

from receiver.gateway import PulledReply, Refusal, Unreadable, parse_reply
from receiver.vocabulary import Kind, Reading

PHONE = "13900000001"
SENT_AT = datetime(2005, 5, 24, 9, 13, tzinfo=UTC)
HELLO_GBK, HELLO_UTF_8 = b"\xc4\xe3\xba\xc3", b"\xe4\xbd\xa0\xe5\xa5\xbd"  # 你好

TEXTS = [
    # what it is, the text on the wire, raw, text as it is read
    ("ASCII", b"hello", b"hello", "hello"),
    ("GBK", HELLO_GBK, HELLO_GBK, "你好"),
    ("UTF-8", HELLO_UTF_8, HELLO_UTF_8, "你好"),
    ("GBK in escapes", b"%C4%E3%ba%c3+1", b"%C4%E3%ba%c3+1", "你好 1"),
    ("UTF-8 in escapes", b"%E4%BD%A0%E5%A5%BD%25", b"%E4%BD%A0%E5%A5%BD%25", "你好%"),
    ("nothing", b"", b"", ""),
    ("a literal percent and plus", b"100% 1+1 50%20off", b"100%25 1%2B1 50%2520off", "100% 1+1 50%20off"),
    ("a literal percent beside GBK", HELLO_GBK + b"%C4%E3", HELLO_GBK + b"%25C4%25E3", "你好%C4%E3"),
    ("escapes of no charset", b"100%FF", b"100%25FF", "100%FF"),
    ("what JavaScript would escape", b"%u4F60", b"%25u4F60", "%u4F60"),
    ("an ampersand", b"Q&A", b"Q&A", "Q&A"),
    ("an equals sign", b"a=b", b"a=b", "a=b"),
    ("a pair", b"x&a=b", b"x&a=b", "x&a=b"),
    ("several", b"&&x&=&y=&", b"&&x&=&y=&", "&&x&=&y=&"),
    ("another msg", b"a&msg=b", b"a&msg=b", "a&msg=b"),
    ("another dst", b"a&dst=1", b"a&dst=1", "a&dst=1"),
    ("another time", b"a&time=200001010000", b"a&time=200001010000", "a&time=200001010000"),
    ("another src", b"a&src=13900000009", b"a&src=13900000009", "a&src=13900000009"),
    ("another id", b"a&id=0&err=no", b"a&id=0&err=no", "a&id=0&err=no"),
    ("all of them", b"a&dst=1&time=200001010000&src=2&id=0", b"a&dst=1&time=200001010000&src=2&id=0", None),
    ("white space and line ends", b" a\r\nb ", b" a\r\nb ", " a\r\nb "),
]


@pytest.mark.parametrize(("wire", "raw", "text"), [pytest.param(*case[1:], id=case[0]) for case in TEXTS])
def test_the_text_is_whole_in_whatever_order_the_fields_come(wire: bytes, raw: bytes, text: str | None) -> None:
    fields = [b"id=9586", b"err=", b"src=13900000001", b"msg=" + wire, b"dst=106900001", b"time=200505241713"]
    for order in permutations(fields):
        reply = parse_reply(b"&".join(order))
        assert reply == PulledReply("9586", PHONE, "106900001", raw, SENT_AT), order
        assert Reading().delivery(reply.src, reply.dst, reply.raw).text == (raw.decode() if text is None else text)


REPLIES = [
    # what it is, body, reply
    (
        "capitals, white space, a byte order mark",
        b"\xef\xbb\xbf\r\n ID = 7 &Err=&SRC= 13900000001 &MSG=a&Dst= 1069 &TIME= 200505241713 \r\n",
        PulledReply("7", PHONE, "1069", b"a", SENT_AT),
    ),
    (
        "the phone in dst",
        b"id=7&err=&src=&msg=a&dst=13900000001&time=200505241713",
        PulledReply("7", PHONE, "", b"a", SENT_AT),
    ),
    (
        "the phone in dst, in another form, and no src at all",
        b"id=7&err=&msg=a&dst=8613900000001&time=200505241713",
        PulledReply("7", "8613900000001", "", b"a", SENT_AT),
    ),
    (
        "an escaped plus",
        b"id=7&err=&src=%2B8613900000001&msg=a&dst=1069&time=200505241713",
        PulledReply("7", "+8613900000001", "1069", b"a", SENT_AT),
    ),
    (
        "a plus",
        b"id=7&err=&src=+8613900000001&msg=a&dst=1069&time=200505241713",
        PulledReply("7", "+8613900000001", "1069", b"a", SENT_AT),
    ),
    (
        "a sender that is no phone",
        b"id=7&err=&src=BANK&msg=a&dst=1069&time=200505241713",
        PulledReply("7", "BANK", "1069", b"a", SENT_AT),
    ),
    ("no dst and no time", b"id=7&err=&src=13900000001&msg=a", PulledReply("7", PHONE, "", b"a", None)),
    (
        "empty fields",
        b"id=7&err=&src=13900000001&msg=&dst=&time=",
        PulledReply("7", PHONE, "", b"", None),
    ),
    (
        "a number with a zero before and err with a word",
        b"id=007&err=ok&src=13900000001&msg=a&dst=1069&time=200505241713",
        PulledReply("007", PHONE, "1069", b"a", SENT_AT),
    ),
    (
        "fields that we don't know, behind and between",
        b"x=1&id=7&err=&src=13900000001&msg=a&b=c&dst=1069&linkid=5&time=200505241713&foo=1",
        PulledReply("7", PHONE, "1069", b"a&b=c", SENT_AT),
    ),
    (
        "a field that we don't know twice",
        b"x=1&id=7&err=&src=13900000001&msg=a&dst=1069&time=200505241713&x=1",
        PulledReply("7", PHONE, "1069", b"a", SENT_AT),
    ),
    (
        "another dst where the gateway writes neither err nor time",
        b"id=7&src=13900000001&msg=a&dst=1&dst=1069",
        PulledReply("7", PHONE, "1069", b"a&dst=1", None),
    ),
    (
        "a time before another msg where the gateway writes none",
        b"id=7&err=&src=13900000001&msg=a&time=200001010000&msg=b&dst=1069",
        PulledReply("7", PHONE, "1069", b"a&time=200001010000&msg=b", None),
    ),
    (
        "two times that are last, of which one is none",
        b"id=7&err=&src=13900000001&dst=1069&msg=a&time=200001010000&time=soon",
        PulledReply("7", PHONE, "1069", b"a&time=200001010000&time=soon", None),
    ),
    (
        "a service number that is none, behind a time that is one",
        b"id=7&err=&src=13900000001&msg=a&time=200505241713&dst=Bank!",
        PulledReply("7", PHONE, "Bank!", b"a", SENT_AT),
    ),
    (
        "what looks like an unknown field where the text is last",
        b"id=7&err=&src=13900000001&dst=1069&time=200505241713&msg=a&foo=1",
        PulledReply("7", PHONE, "1069", b"a&foo=1", SENT_AT),
    ),
    (
        "a time of the text's own where the gateway writes none",
        b"id=7&err=&src=13900000001&msg=see you&time=noon&dst=1069",
        PulledReply("7", PHONE, "1069", b"see you&time=noon", None),
    ),
    (
        "a dst of the text's own at the end",
        b"id=7&err=&src=13900000001&time=200505241713&msg=a&dst=the station",
        PulledReply("7", PHONE, "", b"a&dst=the station", SENT_AT),
    ),
]


@pytest.mark.parametrize(("body", "reply"), [pytest.param(*case[1:], id=case[0]) for case in REPLIES])
def test_a_reply_is_read(body: bytes, reply: PulledReply) -> None:
    assert parse_reply(body) == reply


@pytest.mark.parametrize(
    "time", [b"", b"2005", b"200513241713", b"200502301713", b"200505242460", b"2005-05-24 17:13", b"20050524171300"]
)
def test_a_time_that_is_none_leaves_the_text_alone(time: bytes) -> None:
    expected = PulledReply("7", PHONE, "1069", b"0000", None)
    assert parse_reply(b"id=7&err=&src=13900000001&msg=0000&dst=1069&time=" + time) == expected
    assert parse_reply(b"id=7&err=&src=13900000001&dst=1069&msg=0000&time=" + time) == expected


@pytest.mark.parametrize(
    "text",
    [
        b"0000",
        b" 0000\r\n",
        b"\xa3\xb0\xa3\xb0\xa3\xb0\xa3\xb0",  # full-width, GBK
        b"%A3%B0%A3%B0%A3%B0%A3%B0",
        b"%30%30%30%30",
        b"0000%0D%0A",
        b"%200000",
        b"0000&sign=shop",
    ],
)
@pytest.mark.parametrize("order", [b"id=7&err=&src=%b&msg=%b&dst=1069&time=200505241713", b"src=%b&id=7&msg=%b"])
def test_an_unsubscribe_is_one_however_it_is_written(text: bytes, order: bytes) -> None:
    reply = parse_reply(order % (PHONE.encode(), text))
    assert reply is not None
    assert Reading().delivery(reply.src, reply.dst, reply.raw).kind is Kind.UNSUBSCRIBE


NONE_UNREAD = [
    b"id=0&err=&src=&msg=&dst=&time=",
    b"err=&time=&dst=&msg=&src=&id=0",
    b" ID=0 \r\n",
    b"id=00&err=&errid=0",
    b"id=0&err=ok&errid=",
    b"id=0&err=\xc3\xbb\xd3\xd0\xb6\xcc\xd0\xc5&src=",  # 没有短信
    b"id=0&err=\xe6\xb2\xa1\xe6\x9c\x89\xe6\x96\xb0\xe7\x9a\x84\xe6\xb6\x88\xe6\x81\xaf&src=",  # 没有新的消息
    b"id=0&err=%C3%BB%D3%D0%B6%CC%D0%C5&src=",
    b"id=0&err=No messages.&src=",
]


@pytest.mark.parametrize("body", NONE_UNREAD)
def test_id_0_without_an_error_is_nothing_unread(body: bytes) -> None:
    assert parse_reply(body) is None


FAILED = [
    (b"id=0&err=&src=&msg=&dst=&time=&errid=6003", 6003, ""),
    (b"errid=6001&id=0&err=x", 6001, "x"),
    (b"id=0&err=6019&src=", 6019, "6019"),
    (b"id=0&err=\xc3\xdc\xc2\xeb\xb4\xed\xce\xf3&src=", 0, "密码错误"),
    (b"id=0&err=\xc3\xbb\xd3\xd0\xc8\xa8\xcf\xde&src=", 0, "没有权限"),
    (b"id=0&err=\xc3\xbb\xd3\xd0\xbf\xaa\xcd\xa8\xb6\xcc\xd0\xc5&src=", 0, "没有开通短信"),
    (b"id=0&err=no messages may be read by you&src=", 0, "no messages may be read by you"),
    (b"id=-9999&err=&errid=6002", 6002, ""),
    (b"id=0&err=too fast&x=1&src=", 0, "too fast&x=1"),
]


@pytest.mark.parametrize(("body", "code", "message"), FAILED)
def test_id_0_with_an_error_is_a_refusal_and_no_empty_inbox(body: bytes, code: int, message: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_reply(body)
    assert (refused.value.code, refused.value.message) == (code, message)


UNREADABLE = [
    b"",
    b"OK",
    b"src=13900000001&msg=a&dst=1069&time=200505241713",
    b"id=&src=13900000001&msg=a&dst=1069&time=200505241713",
    b"id=x&src=13900000001&msg=a&dst=1069&time=200505241713",
    b"id=7&err=&src=13900000001&dst=1069&time=200505241713",
    b"id=7&err=&src=&msg=a&dst=&time=200505241713",
    b"id=7&err=&src=&msg=a&dst=1069&time=200505241713",
    b"id=7&msg=a",
    b"<html>id=7&err=&src=13900000001&msg=a&dst=1069&time=200505241713</html>",
    b"\r\n<p>&id=0&err=",
    b"id=0&err=13900000001&errid=x",
    b"id=0&err=&errid=6001&errid=6003",
    b"id=0&err=&src=13900000001&msg=a&dst=1069&time=200505241713",
    b"id=-3&err=&src=13900000001&msg=0000&dst=1069&time=200505241713",
    b"id=0&err=&src=&msg=0000&dst=13900000001&time=200505241713&errid=6003",
]


@pytest.mark.parametrize("body", UNREADABLE)
def test_what_can_not_be_read_is_handed_on_whole(body: bytes) -> None:
    with pytest.raises(Unreadable) as unreadable:
        parse_reply(body)
    assert unreadable.value.body == body
    assert "13900000001" not in str(unreadable.value) + repr(unreadable.value)


def test_no_repr_holds_the_phone_or_the_text() -> None:
    reply = parse_reply(b"id=7&err=&src=13900000001&msg=secret&dst=1069&time=200505241713")
    assert PHONE not in repr(reply)
    assert "secret" not in repr(reply)

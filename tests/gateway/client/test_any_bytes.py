"""Whatever bytes are the answer, a call ends with a value or an error of the client's, and a cut invents nothing."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from receiver.gateway import Gateway, GatewayError, InDoubt, Refusal, SendAnswer, parse_reply
from receiver.gateway.client.parse import parse_balance, parse_change, parse_content, parse_send
from receiver.vocabulary import Reading
from tests.gateway.client.conftest import Answers, client
from tests.gateway.client.wire import http
from tests.properties import tried

FRAGMENTS = st.sampled_from(
    [
        *[b"num=", b"success=", b"faile=", b"err=", b"errid=", b"id=", b"src=", b"msg=", b"dst=", b"time=", b"short="],
        *[b"&", b"=", b",", b"0", b"1", b"-9999", b"6001", b"6003", b"13900000001", b"200505241713", b"9" * 40],
        *[
            b"%",
            b"%C4%E3",
            b"%FF",
            b"+",
            b" ",
            b"\r\n",
            b"\x00",
            b"\xff",
            b"\xc4\xe3",
            b"\xef\xbb\xbf",
            b"<",
            "你".encode(),
        ],
    ]
)
BODIES = st.binary(max_size=60) | st.lists(FRAGMENTS | st.binary(max_size=4), max_size=20).map(b"".join)
HTTP = st.sampled_from(
    [
        *[
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.0 200\r\n",
            b"HTTP/1.1 100 Continue\r\n",
            b"HTTP/1.1 405 No\r\n",
            b"HTTP/9 x\r\n",
        ],
        *[
            b"Content-Length: 5\r\n",
            b"Content-Length: -5\r\n",
            b"Content-Length: x\r\n",
            b"Transfer-Encoding: chunked\r\n",
        ],
        *[
            b"\r\n",
            b"\n",
            b"5\r\n",
            b"-1\r\n",
            b"ffffffffff\r\n",
            b"0\r\n\r\n",
            b": \r\n",
            b"\r\n\r\n",
            b"Content-Encoding: gzip\r\n",
        ],
    ]
)
ANSWERS = st.lists(HTTP | FRAGMENTS | st.binary(max_size=6), max_size=20).map(b"".join) | BODIES.map(http)
CALLS: list[Callable[[Gateway], Any]] = [
    lambda gateway: gateway.send(["13900000001"], "a"),
    lambda gateway: gateway.check_content("a"),
    Gateway.balance,
    Gateway.read_reply,
    lambda gateway: gateway.change_password("another"),
]


@given(BODIES, st.sampled_from(["gb18030", "gbk", "utf-8"]), st.booleans())
@settings(max_examples=tried(150))
def test_any_body_is_a_value_or_an_error_of_ours(body: bytes, charset: str, whole: bool) -> None:
    for parse in (parse_send, parse_content, parse_change, parse_balance):
        with suppress(GatewayError):
            parse(body, charset, whole=whole)
    with suppress(GatewayError):
        reply = parse_reply(body, charset)
        assert reply is None or Reading().delivery(reply.src, reply.dst, reply.raw).raw == reply.raw


def test_any_bytes_over_a_socket_are_a_value_or_an_error_of_ours(answers: Answers) -> None:
    server = answers(b"")

    @settings(max_examples=tried(50))
    @given(ANSWERS, st.sampled_from(CALLS), st.sampled_from(["auto", "post", "get"]))
    @example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", Gateway.balance, "post")
    @example(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n", Gateway.balance, "post")
    @example(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n", Gateway.balance, "post")
    @example(b"HTTP/1.1 200 OK\r\n" + b"a" * 66_000, Gateway.balance, "post")
    def holds(answer: bytes, call: Callable[[Gateway], Any], method: str) -> None:
        server.behaviours = [answer]
        with suppress(GatewayError):
            call(client(server, method=method))

    holds()


PHONES = st.from_regex(r"1390000[0-9]{4}|0105550[0-9]{4}", fullmatch=True)
LISTS = st.lists(PHONES, unique=True, max_size=14)
TEXTS = st.lists(st.sampled_from([b"", b"no", b"&", b"=", b"\xc4\xe3", b"%C4%E3", b"num=1", b" "]), max_size=4).map(
    b"".join
)


@st.composite
def good_answers(draw: st.DrawFn) -> bytes:
    """An answer to a send that the gateway might have meant, its fields in any order."""
    phones = draw(LISTS)
    taken = draw(st.integers(0, len(phones)))
    accepted, refused = phones[:taken], phones[taken:]
    code = draw(st.sampled_from([0, 6004, 6013])) if accepted else draw(st.sampled_from([6001, 6003, 7001]))
    fields = [
        b"num=%d" % len(accepted),
        b"success=" + ",".join(accepted).encode(),
        b"faile=" + ",".join(refused).encode(),
        b"err=" + draw(TEXTS),
        b"errid=%d" % code,
    ]
    return b"&".join(draw(st.permutations(fields)))


@given(good_answers())
@settings(max_examples=tried(100))
@example(b"num=12&success=" + b",".join(b"139000000%02d" % n for n in range(12)) + b"&faile=&err=&errid=0")
@example(b"success=13900000001,13900000002&faile=&err=&errid=0&num=2")
@example(b"num=2&faile=&err=&errid=0&success=13900000001,13900000002")
@example(b"err=&errid=0&success=13900000001&num=10")
def test_a_cut_at_any_byte_never_accepts_or_refuses_what_the_whole_does_not(body: bytes) -> None:
    meant = _read(body, whole=True)
    if isinstance(meant, InDoubt):  # an err that holds num=1: then nothing is known of the cut either
        return
    for end in range(len(body) + 1):
        cut = _read(body[:end], whole=False)
        if isinstance(cut, SendAnswer):
            assert isinstance(meant, SendAnswer)
            assert cut.num == meant.num
            assert set(cut.accepted) <= set(meant.accepted)
            assert set(cut.refused) <= set(meant.refused)
        elif isinstance(cut, Refusal):
            assert isinstance(meant, Refusal)
            assert cut.code in (0, meant.code)


def _read(body: bytes, *, whole: bool) -> SendAnswer | Refusal | InDoubt:
    try:
        return parse_send(body, "gb18030", whole=whole)
    except (Refusal, InDoubt) as error:
        return error

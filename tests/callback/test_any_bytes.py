"""Any bytes in, one of our numbers out; and whatever was answered 0 reads back equal."""

import itertools
from collections.abc import Callable

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from receiver.vocabulary import is_unsubscribe, keyword_set
from receiver.vocabulary.parse import LARGEST_QUERY
from receiver.vocabulary.wire import read_text, visible
from tests.callback.conftest import InProcess, Receiver
from tests.callback.raw import ask, exchange, get, post, responses
from tests.properties import tried
from tests.serving import ALIVE

NUMBERS = {b"0", b"-1", b"-2", b"-3", b"-4"}

FRAGMENTS = st.sampled_from(
    [
        *[b"src=", b"dst=", b"msg=", b"token=", b"&", b"=", b"&src=", b"&dst=", b"&msg="],
        *[b"13900004001", b"+8613900004001", b"1069", b"0000", b"%A3%B0"],
        *[b"%", b"%u", b"%uD83D", b"%u4F60", b"%00", b"%80", b"%CD%A3", b"+", b" ", b"#", b"?", b"<html>"],
        *[b"\x00", b"\x80", b"\xff", b"\xcd\xa3", "你".encode(), "你".encode("gb18030"), "😀".encode("gb18030")],
        b"x" * 3_000,
    ]
)
QUERIES = st.one_of(st.binary(max_size=60), st.lists(FRAGMENTS | st.binary(max_size=6), max_size=12).map(b"".join))
# What msg may hold without becoming another parameter.
VALUES = (
    st.lists(FRAGMENTS | st.binary(max_size=12), max_size=8)
    .map(b"".join)
    .map(lambda value: value.replace(b"&", b"%26"))
)
TARGETS = QUERIES.map(lambda query: query.replace(b"\n", b""))

PHONES = itertools.count()

lenient = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def test_any_query_is_answered_with_a_number_and_leaves_one_row(in_process: Callable[..., InProcess]) -> None:
    app = in_process()

    @lenient
    @given(QUERIES)
    @example(b"")
    @example(b"src=1&dst=1&msg=" + b"x" * (LARGEST_QUERY - 15))
    @example(b"src=1&dst=1&msg=" + b"x" * LARGEST_QUERY)
    def holds(query: bytes) -> None:
        messages, kept = app.stored.messages(), app.stored.quarantined()
        answer = app.get(query)
        assert answer in NUMBERS - {b"-2", b"-4"}
        new_messages = app.stored.messages()[len(messages) :]
        new_kept = app.stored.quarantined()[len(kept) :]
        assert (len(new_messages), len(new_kept)) == ((1, 0) if answer == b"0" else (0, 1))
        assert (answer == b"-3") == (len(query) > LARGEST_QUERY)
        for row in new_messages:
            assert row.raw in query
            read = read_text(row.raw)
            assert (row.text, row.charset, row.charset_certain) == (visible(read.text), read.charset, read.certain)
        if answer == b"-1" and b"token=" not in query.lower():
            assert new_kept[0].raw == query

    holds()


def test_any_text_that_is_answered_0_reads_back_equal_from_either_database(receiver_on_each: Receiver) -> None:
    @settings(lenient, max_examples=tried(30))
    @given(st.lists(VALUES.map(lambda value: value.replace(b"\n", b"")), min_size=1, max_size=10))
    def holds(values: list[bytes]) -> None:
        phone = b"1390005%04d" % next(PHONES)
        prefix = b"/recv.asp?src=" + phone + b"&dst=1069&msg="
        sent = [value for value in values if len(prefix) + len(value) < LARGEST_QUERY]
        kept_alive = [b"GET " + prefix + value + b" HTTP/1.1\r\nHost: localhost\r\n\r\n" for value in sent]
        answers = responses(exchange(receiver_on_each.port, b"".join(kept_alive) + get(b"/healthz")))
        assert [answer.body for answer in answers] == [b"0"] * len(sent) + [ALIVE]
        rows = receiver_on_each.stored.messages(src="+86" + phone.decode())
        assert [row.raw for row in rows] == sent
        assert [row.text for row in rows] == [visible(read_text(value).text) for value in sent]
        stops = [is_unsubscribe(read_text(value).text, keyword_set()) for value in sent]
        assert [row.kind == "unsubscribe" for row in rows] == stops

    holds()


def test_any_target_and_form_over_a_connection_is_answered_with_a_number(receiver: Receiver) -> None:
    @lenient
    @given(TARGETS, QUERIES)
    def holds(target: bytes, form: bytes) -> None:
        answered = ask(receiver.port, get(b"/recv.asp?" + target))
        assert (answered.status, answered.header("Content-Type")) == (200, ["text/plain"])
        assert answered.body in {b"0", b"-1", b"-3"}
        answered = ask(receiver.port, post(b"/recv.asp?" + target, form))
        assert (answered.status, answered.header("Content-Type")) == (200, ["text/plain"])
        assert answered.body in {b"0", b"-1", b"-3"}

    holds()


def test_any_request_line_and_headers_are_answered_with_a_number(receiver: Receiver) -> None:
    @lenient
    @given(st.binary(min_size=1, max_size=80), st.lists(st.binary(max_size=40), max_size=3))
    @example(b"GET", [])
    @example(b"GET /recv.asp HTTP/1.1", [b"Content-Length: 1"])
    @example(b"\x00", [b"\x00"])
    def holds(line: bytes, headers: list[bytes]) -> None:
        sent = b"\r\n".join([line, *headers, b"", b""])
        for answered in responses(exchange(receiver.port, sent, half_close=True)):
            assert answered.status in (200, 404)
            assert answered.header("Content-Type") == ["text/plain"]
            assert answered.body in NUMBERS

    holds()


def test_any_bytes_at_all_get_numbers_or_silence_and_harm_nobody(receiver: Receiver) -> None:
    @lenient
    @given(st.binary(max_size=400))
    @example(b"\n" * 100)
    @example(b"\r\n" * 100)
    @example(b"GET / HTTP/1.1\r\n\r\n" * 30)
    def holds(sent: bytes) -> None:
        assert {answered.body for answered in responses(exchange(receiver.port, sent, half_close=True))} <= NUMBERS

    holds()
    assert receiver.get(b"/healthz").body == ALIVE
    assert "Traceback" not in receiver.server.log

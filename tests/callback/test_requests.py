"""Whatever comes in on the callback's port, what goes out is one of our numbers, never HTML (protocol.md §1)."""

# ruff: noqa: E501 — a case is one line

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import gevent.socket
import pytest

from receiver.callback import worker
from tests.callback.conftest import Receiver
from tests.callback.raw import Response, ask, exchange, get, post, responses
from tests.serving import ALIVE

_CLOSE = b"Host: localhost\r\nConnection: close\r\n"


@dataclass(frozen=True)
class Request:
    """Bytes on a connection, the number that answers them, and why it is kept in quarantine, where it is."""

    label: str
    sent: bytes
    answer: int
    reason: str | None = None


def line(text: bytes) -> bytes:
    return text + b"\r\n" + _CLOSE + b"\r\n"


REQUESTS = [
    # methods
    Request("lower-case method", line(b"get /recv.asp?src=13900001001&dst=1&msg=a HTTP/1.1"), 0),
    Request("HTTP/1.0", b"GET /recv.asp?src=13900001002&dst=1&msg=a HTTP/1.0\r\n\r\n", 0),
    Request("PUT", line(b"PUT /recv.asp?src=13900001003&dst=1&msg=a HTTP/1.1"), -1, "method"),
    Request("DELETE", line(b"DELETE /recv.asp?src=13900001004&dst=1&msg=a HTTP/1.1"), -1, "method"),
    Request("OPTIONS", line(b"OPTIONS /recv.asp?src=13900001005&dst=1&msg=a HTTP/1.1"), -1, "method"),
    Request("TRACE", line(b"TRACE /recv.asp?src=13900001006&dst=1&msg=a HTTP/1.1"), -1, "method"),
    Request("CONNECT", line(b"CONNECT /recv.asp?src=13900001007&dst=1&msg=a HTTP/1.1"), -1, "method"),
    Request("an unknown method", line(b"PUSH /recv.asp?src=13900001008&dst=1&msg=a HTTP/1.1"), -1),
    Request("no method at all", line(b"G@T /recv.asp?src=13900001009&dst=1&msg=a HTTP/1.1"), -1, "malformed-request"),
    # the request line
    Request("absolute form", line(b"GET http://receiver.example/recv.asp?src=13900001011&dst=1&msg=a HTTP/1.1"), 0),
    Request("an escaped path", line(b"GET /recv%2easp?src=13900001012&dst=1&msg=a HTTP/1.1"), 0),
    Request("no version", b"GET /recv.asp?src=13900001013&dst=1&msg=a\r\n\r\n", -1, "malformed-request"),
    Request("HTTP/0.9", b"GET /recv.asp?src=13900001014&dst=1&msg=a\r\n", -1, "malformed-request"),
    Request("a version of the future", line(b"GET /recv.asp?src=13900001015&dst=1&msg=a HTTP/3.7"), -1, "malformed-request"),
    Request("no Host", b"GET /recv.asp?src=13900001016&dst=1&msg=a HTTP/1.1\r\nConnection: close\r\n\r\n", 0),
    Request("one word", b"hello\r\n\r\n", -1, "malformed-request"),
    Request("an empty line first", b"\r\n" + line(b"GET /recv.asp?src=13900001018&dst=1&msg=a HTTP/1.1"), 0),
    Request("line feeds alone", b"GET /recv.asp?src=13900001019&dst=1&msg=a HTTP/1.1\nHost: localhost\n\n\r\n\r\n", -1, "malformed-request"),
    Request("a space first", b" GET /recv.asp?src=13900001017&dst=1&msg=a HTTP/1.1\r\n\r\n", -1, "malformed-request"),
    # size
    Request("9 kB of query", get(b"/recv.asp?src=13900001021&dst=1&msg=" + b"x" * 9_000), -3, "too-large"),
    Request("70 kB of query", get(b"/recv.asp?src=13900001022&dst=1&msg=" + b"x" * 70_000), -3, "too-large"),
    Request("1 MB of query", get(b"/recv.asp?src=13900001023&dst=1&msg=" + b"x" * 1_000_000), -3, "too-large"),
    Request("9 kB of form", post(b"/recv.asp", b"src=13900001024&dst=1&msg=" + b"x" * 9_000), -3, "too-large"),
    Request("1 MB of form", post(b"/recv.asp", b"src=13900001025&dst=1&msg=" + b"x" * 1_000_000), -3, "too-large"),
    Request("a header of 20 kB", get(b"/recv.asp?src=13900001026&dst=1&msg=a", b"X-Long: " + b"y" * 20_000), -3, "too-large"),
    Request("a header of 1 MB", get(b"/recv.asp?src=13900001027&dst=1&msg=a", b"X-Long: " + b"y" * 1_000_000), -3, "too-large"),
    Request("500 headers", get(b"/recv.asp?src=13900001028&dst=1&msg=a", *[b"X-%d: y" % n for n in range(500)]), -3, "too-large"),
    # headers
    Request("a header without a colon", get(b"/recv.asp?src=13900001031&dst=1&msg=a", b"no colon"), -1, "malformed-request"),
    Request("a header's name with a space", get(b"/recv.asp?src=13900001032&dst=1&msg=a", b"X Y: z"), -1, "malformed-request"),
    Request("a header with a NUL", get(b"/recv.asp?src=13900001033&dst=1&msg=a", b"X: \x00"), -1, "malformed-request"),
    Request("a header in GBK", get(b"/recv.asp?src=13900001034&dst=1&msg=a", b"X-Name: \xc4\xe3"), 0),
    Request("a continued header", get(b"/recv.asp?src=13900001035&dst=1&msg=a", b"X: y", b" z"), -1, "malformed-request"),
    Request("a wish for another protocol", get(b"/recv.asp?src=13900001036&dst=1&msg=a", b"Upgrade: websocket"), 0),
    # bodies
    Request("a chunked form", line(b"POST /recv.asp HTTP/1.1\r\nTransfer-Encoding: chunked")
            + b"5\r\nsrc=1\r\n1A\r\n3900001041&dst=1&msg=a%20b\r\n0\r\n\r\n", 0),
    Request("a chunk of no size", line(b"POST /recv.asp?src=13900001042&dst=1&msg=a HTTP/1.1\r\nTransfer-Encoding: chunked")
            + b"ZZ\r\n\r\n", -1, "malformed-request"),
    Request("a length that is none", line(b"POST /recv.asp?src=13900001043&dst=1&msg=a HTTP/1.1\r\nContent-Length: -5"), -1,
            "malformed-request"),
    Request("two lengths", line(b"POST /recv.asp?src=13900001044&dst=1&msg=a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2"), -1,
            "malformed-request"),
    Request("length and chunks", line(b"POST /recv.asp?src=13900001045&dst=1&msg=a HTTP/1.1\r\nContent-Length: 5\r\n"
                                      b"Transfer-Encoding: chunked") + b"0\r\n\r\n", -1, "malformed-request"),
    Request("multipart", post(b"/recv.asp?src=13900001046&dst=1&msg=a", b"--x\r\n\r\n--x--", b"Content-Type: multipart/form-data; boundary=x"),
            -1, "content-type"),
    Request("JSON", post(b"/recv.asp", b'{"src": "13900001047"}', b"Content-Type: application/json"), -1, "content-type"),
    Request("a GET with a body, which is left alone", get(b"/recv.asp?src=13900001048&dst=1&msg=a", b"Content-Length: 3") + b"&x=", 0),
    # other protocols
    Request("TLS", bytes.fromhex("16030100c8010000c40303") + bytes(range(64)) + b"\r\n\r\n", -1, "malformed-request"),
    Request("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", -1, "malformed-request"),
    Request("SMTP", b"EHLO gateway.example\r\n", -1, "malformed-request"),
    Request("bytes", b"\xff\xfe\xfd\r\n\r\n", -1, "malformed-request"),
]  # fmt: skip


@pytest.mark.parametrize("case", REQUESTS, ids=lambda case: case.label)
def test_any_request_for_the_callback_is_answered_with_a_number(receiver: Receiver, case: Request) -> None:
    messages, kept = len(receiver.stored.messages()), len(receiver.stored.quarantined())
    response = ask(receiver.port, case.sent)
    assert_number(response, case.answer)
    rows = receiver.stored.quarantined()[kept:]
    if case.answer == 0:
        assert (len(receiver.stored.messages()), rows) == (messages + 1, [])
    else:
        (row,) = rows
        assert row.reason == (case.reason or "method")
        assert row.raw
        # The query and the form are kept joined as one.
        assert all(part in case.sent for part in row.raw.split(b"&"))
        assert len(receiver.stored.messages()) == messages


def test_a_head_request_has_the_headers_of_the_answer_alone(receiver: Receiver) -> None:
    received = exchange(receiver.port, line(b"HEAD /recv.asp?src=13900001051&dst=1&msg=a HTTP/1.1"))
    (response,) = responses(received, ["HEAD"])
    assert (response.status, response.body, response.header("Content-Length")) == (200, b"", ["2"])
    assert received.endswith(b"\r\n\r\n")


UNSUBSCRIBES = [
    ("a wrong method", line(b"PUT /recv.asp?src=13900001061&dst=1&msg=0000 HTTP/1.1"), "+8613900001061"),
    ("no version", b"GET /recv.asp?src=13900001062&dst=1&msg=0000\r\n\r\n", "+8613900001062"),
    ("a bad header", get(b"/recv.asp?src=13900001063&dst=1&msg=0000", b"bad"), "+8613900001063"),
    (
        "a wrong type",
        post(b"/recv.asp", b"src=13900001064&dst=1&msg=0000", b"Content-Type: application/json"),
        "+8613900001064",
    ),
    (
        "a query before a body of a wrong type",
        post(b"/recv.asp?src=13900001065&dst=1&msg=0000", b"{}", b"Content-Type: application/json"),
        "+8613900001065",
    ),
    ("line feeds alone", b"GET /recv.asp?src=13900001066&dst=1&msg=0000 HTTP/1.1\nHost: x\n\n", "+8613900001066"),
    ("tabs for spaces", b"GET\t/recv.asp?src=13900001067&dst=1&msg=0000\tHTTP/1.1\r\n\r\n", "+8613900001067"),
]

ACCEPTED_UNSUBSCRIBES = [
    ("a line feed in the target", line(b"GET /recv.asp?src=13900001081&dst=1&msg=0000\n HTTP/1.1"), "+8613900001081"),
    ("a line end after the phone", get(b"/recv.asp?src=13900001201%0D%0A&dst=1&msg=0000"), "+8613900001201"),
    ("a NUL after the phone", get(b"/recv.asp?src=13900001202%00&dst=1&msg=0000"), "+8613900001202"),
    ("an unseen mark before the phone", get(b"/recv.asp?src=%E2%81%A013900001203&dst=1&msg=0000"), "+8613900001203"),
    ("UTF-16, the other way", get(b"/recv.asp?src=13900001204&dst=1&msg=0%000%000%000%00"), "+8613900001204"),
    ("a parameter unknown to us", get(b"/recv.asp?src=13900001082&dst=1&msg=0000&id=7"), "+8613900001082"),
    ("an & at the end", get(b"/recv.asp?src=13900001083&dst=1&msg=0000&"), "+8613900001083"),
    ("UTF-16", get(b"/recv.asp?src=13900001084&dst=1&msg=%00%30%00%30%00%30%00%30"), "+8613900001084"),
    ("full-width UTF-16", get(b"/recv.asp?src=13900001085&dst=1&msg=%ff%10%FF%10%FF%10%FF%10"), "+8613900001085"),
    ("raw full-width UTF-16", get(b"/recv.asp?src=13900001086&dst=1&msg=" + b"\xff\x10" * 4), "+8613900001086"),
]


@pytest.mark.parametrize(("sent", "phone"), [pytest.param(*case[1:], id=case[0]) for case in ACCEPTED_UNSUBSCRIBES])
def test_an_unsubscribe_is_not_hidden_by_a_careless_gateway(receiver: Receiver, sent: bytes, phone: str) -> None:
    assert_number(ask(receiver.port, sent), 0)
    assert receiver.stored.is_opted_out(phone)


def test_a_text_with_an_ampersand_that_begins_like_an_unsubscribe_is_a_reply(receiver: Receiver) -> None:
    assert_number(receiver.get(b"/recv.asp?src=13900001087&dst=1&msg=0000&no"), 0)
    assert not receiver.stored.is_opted_out("+8613900001087")


@pytest.mark.parametrize(("sent", "phone"), [pytest.param(*case[1:], id=case[0]) for case in UNSUBSCRIBES])
def test_an_unsubscribe_is_honoured_in_a_request_that_is_not_accepted(
    receiver: Receiver, sent: bytes, phone: str
) -> None:
    assert_number(ask(receiver.port, sent), -1)
    assert receiver.stored.is_opted_out(phone)


OTHERS = [
    ("the root", get(b"/"), 404, b"-1"),
    ("a neighbour", get(b"/recv.aspx?src=13900001071&dst=1&msg=a"), 404, b"-1"),
    ("a path below", get(b"/recv.asp/?src=13900001072&dst=1&msg=a"), 404, b"-1"),
    ("two slashes", get(b"//recv.asp?src=13900001073&dst=1&msg=a"), 404, b"-1"),
    ("a way around", get(b"/x/../recv.asp?src=13900001074&dst=1&msg=a"), 404, b"-1"),
    ("raw bytes", get(b"/\xc4\xe3"), 404, b"-1"),
    ("markup", get(b"/<b>x</b>"), 404, b"-1"),
    ("a POST", post(b"/admin", b"x=1"), 404, b"-1"),
    ("a body of another type", post(b"/", b"{}", b"Content-Type: application/json"), 404, b"-1"),
    ("a token where none is set", get(b"/secret/recv.asp?src=13900001075&dst=1&msg=a"), 404, b"-1"),
    ("an asterisk", line(b"OPTIONS * HTTP/1.1"), 404, b"-1"),
    ("another path that no parser accepts", b"GET /other\r\n\r\n", 404, b"-1"),
    ("alive", get(b"/healthz"), 200, ALIVE),
    ("ready", get(b"/readyz"), 200, b"ready"),
    ("a POST to our health", post(b"/healthz", b""), 405, b"-1"),
]


@pytest.mark.parametrize(("sent", "status", "body"), [pytest.param(*case[1:], id=case[0]) for case in OTHERS])
def test_any_other_path_is_not_found_and_says_so_without_html(
    receiver: Receiver, sent: bytes, status: int, body: bytes
) -> None:
    messages, kept = len(receiver.stored.messages()), len(receiver.stored.quarantined())
    response = ask(receiver.port, sent)
    assert (response.status, response.body) == (status, body)
    assert response.header("Content-Type") == ["text/plain"]
    assert response.header("Content-Length") == [str(len(body))]
    assert (len(receiver.stored.messages()), len(receiver.stored.quarantined())) == (messages, kept)


def test_an_expected_100_continue_is_given_before_the_body_is_waited_for(receiver: Receiver) -> None:
    body = b"src=13900001081&dst=1&msg=a"
    head = b"POST /recv.asp HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: %d" % len(body)
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=5) as connection:
        connection.sendall(line(head))
        assert connection.recv(1_000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        (response,) = responses(connection.makefile("rb").read())
    assert_number(response, 0)


@pytest.mark.parametrize("sent", [100_000, 3_000_000], ids=["100 kB", "3 MB"])
def test_a_body_of_1_gb_is_refused_at_once_without_reading_it(receiver: Receiver, sent: int) -> None:
    request = line(b"POST /recv.asp?src=13900001082&dst=1&msg=a HTTP/1.1\r\nContent-Length: 1073741824") + b"x" * sent
    began = time.monotonic()
    assert_number(ask(receiver.port, request, may_reset=True), -3)
    assert time.monotonic() - began < 5


def test_requests_in_a_row_on_one_connection_are_answered_in_their_order(receiver: Receiver) -> None:
    targets = [b"/recv.asp?src=1390000109%d&dst=1&msg=%d" % (number, number) for number in range(4)]
    kept_alive = [b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n" for target in targets]
    sent = b"".join(
        [kept_alive[0], b"GET /recv.asp?src= HTTP/1.1\r\nHost: localhost\r\n\r\n", kept_alive[1], get(targets[2])]
    )
    assert [answer.body for answer in responses(exchange(receiver.port, sent))] == [b"0", b"-1", b"0", b"0"]
    assert [len(receiver.stored.messages(src=f"+861390000109{number}")) for number in range(4)] == [1, 1, 1, 0]


def test_a_connection_is_kept_for_the_next_request(receiver: Receiver) -> None:
    first = b"GET /recv.asp?src=13900001101&dst=1&msg=a HTTP/1.1\r\nHost: localhost\r\n\r\n"
    form = b"src=13900001102&dst=1&msg=b"
    second = b"POST /recv.asp HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(form), form)
    received = exchange(receiver.port, first, second, get(b"/recv.asp?src=13900001103&dst=1&msg=c"), pause=0.2)
    assert [answer.body for answer in responses(received)] == [b"0", b"0", b"0"]


def test_a_request_in_small_pieces_is_one_request(receiver: Receiver) -> None:
    request = get(b"/recv.asp?src=13900001104&dst=1&msg=%C4%E3\xba\xc3")
    pieces = [request[start : start + 7] for start in range(0, len(request), 7)]
    (response,) = responses(exchange(receiver.port, *pieces, pause=0.01))
    assert_number(response, 0)
    assert receiver.stored.messages(src="+8613900001104")[0].text == "你好"


HALVES = [
    b"",
    b"\r\n",
    b"GET /recv.asp?src=13900001111&dst=1&msg=0000",
    b"GET /recv.asp?src=13900001112&dst=1&msg=0000 HTTP/1.1\r\nHost: local",
    b"POST /recv.asp HTTP/1.1\r\nContent-Length: 100\r\n\r\nsrc=13900001113&dst=1&msg=0000",
    b"POST /recv.asp HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nsrc",
    bytes.fromhex("16030100c8010000c40303"),
]


def test_half_a_request_and_then_silence_is_closed_within_seconds_and_stores_nothing(receiver: Receiver) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(len(HALVES)) as pool:
        answers = list(pool.map(lambda half: exchange(receiver.port, half), HALVES))
        assert_number(receiver.get(b"/recv.asp?src=13900001114&dst=1&msg=a"), 0)  # they hold nobody up
    assert time.monotonic() - began < 20
    assert answers == [b""] * len(HALVES)
    assert all(receiver.stored.messages(src=f"+861390000111{number}") == [] for number in range(1, 4))


def test_a_client_that_leaves_in_the_middle_of_its_request_stores_nothing(receiver: Receiver) -> None:
    for half in HALVES:
        assert responses(exchange(receiver.port, half, half_close=True)) == []
    assert receiver.stored.messages(src="+8613900001111") == []


def test_a_server_that_has_seen_all_this_still_serves(receiver: Receiver) -> None:
    assert_number(receiver.get(b"/recv.asp?src=13900001121&dst=1&msg=a"), 0)
    assert "Traceback" not in receiver.server.log
    assert "1390000" not in receiver.server.log


def assert_number(response: Response, number: int) -> None:
    body = str(number).encode()
    assert (response.status, response.body) == (200, body)
    assert response.header("Content-Type") == ["text/plain"]
    assert response.header("Content-Length") == [str(len(body))]


def test_a_client_that_never_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "REQUEST_SECONDS", 0.2)
    ours, theirs = gevent.socket.socketpair()
    with ours, theirs, pytest.raises(TimeoutError):
        worker._send(ours, b"x" * 50_000_000)


def test_a_line_end_in_a_request_loses_none_of_its_bytes(receiver: Receiver) -> None:
    sent = b"GET /recv.asp?src=13900001206&dst=1&msg=one\r\ntwo-of-1206 HTTP/1.1\r\nHost: x\r\n\r\n"
    assert_number(ask(receiver.port, sent), -1)
    assert any(b"two-of-1206" in row.raw for row in receiver.stored.quarantined())

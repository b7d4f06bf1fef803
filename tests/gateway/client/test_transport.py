"""Whether a call may have been carried out is told by how far it came, and none holds us longer than its time."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from receiver.gateway import Gateway, InDoubt, NotSent, Unreadable
from receiver.gateway.client.request import Form
from receiver.gateway.client.transport import LARGEST_ANSWER, Deadline, Site, exchange
from tests.gateway.client.conftest import PASSWORD, Answers, client
from tests.gateway.client.wire import Answering, Behaviour, Deaf, Drip, Reset, Silence, http

SENT = b"num=1&success=13900000001&faile=&err=&errid=0"


def send(gateway: Gateway) -> Any:
    return gateway.send(["13900000001"], "Hello")


CALLS: list[Callable[[Gateway], Any]] = [
    send,
    Gateway.balance,
    Gateway.read_reply,
    lambda gateway: gateway.check_content("a"),
    lambda gateway: gateway.change_password("another"),
]

DOUBTFUL: list[tuple[str, Behaviour, bytes | None]] = [
    # what the gateway does once it has the request; what it is Unreadable with, if it is
    ("closes", b"", None),
    ("breaks off", Reset(), None),
    ("stays silent", Silence(), None),
    ("drips headers", Drip(b"HTTP/1.1 200 OK\r\nX-Header: "), b"x"),
    ("drips a status line", Drip(b"HTTP/1.1 200 "), b"x"),
    ("drips a body", Drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + SENT), SENT),
    ("drips a body without an end", Drip(b"HTTP/1.1 200 OK\r\n\r\n" + SENT), SENT),
    ("drips preliminary answers", Drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), b""),
    ("cuts within the status line", b"HTTP/1.", b"HTTP/1."),
    ("cuts within the headers", b"HTTP/1.1 200 OK\r\nContent-Le", b""),
    ("cuts the body", http(SENT + b"x")[:-1], SENT),
    ("cuts behind the headers", http(SENT)[: -len(SENT)], b""),
    ("cuts a chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n99\r\n" + SENT, SENT),
    ("cuts between chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nnu\r\n", b"nu"),
    ("sends no HTTP", SENT, SENT),
    ("sends an error", http(SENT, b"500 Internal Server Error"), SENT),
    ("sends a page that is not there", http(SENT, b"404 Not Found"), SENT),
    ("wants a login", http(SENT, b"401 Unauthorized"), SENT),
    ("takes no POST", http(SENT, b"405 Method Not Allowed"), SENT),
    ("leads elsewhere", http(SENT, b"302 Found", headers=b"Location: /send/gsend.asp\r\n"), SENT),
    ("has nothing", http(b"", b"204 No Content"), b""),
    ("is empty", http(b""), b""),
    ("sends a page", http(b"<html>" + SENT), b"<html>" + SENT),
    ("is too large", http(SENT + b"&x=" + b"x" * LARGEST_ANSWER), SENT),
    ("never ends", Drip(http(SENT, length=False) + b"&err=", b"x" * 9_000), SENT),
    ("has endless headers", Drip(b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 9_000 + b"\r\n"), b""),
]


@pytest.mark.parametrize(("behaviour", "body"), [pytest.param(*case[1:], id=case[0]) for case in DOUBTFUL])
def test_once_asked_a_call_without_a_whole_answer_is_in_doubt(
    behaviour: Behaviour, body: bytes | None, answers: Answers
) -> None:
    server = answers(behaviour)
    with pytest.raises(InDoubt) as doubt:
        send(client(server, timeout=1))
    assert len(server.asked) == 1
    if body is None:
        assert type(doubt.value) is InDoubt
    else:
        assert isinstance(doubt.value, Unreadable)
        assert body in doubt.value.body
    assert "gsend.asp" in str(doubt.value)
    assert len(str(doubt.value).splitlines()) == 1
    assert "1390000" not in str(doubt.value) + repr(doubt.value)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("behaviour", [Reset(), http(b"Server Error", b"500 Error"), http(SENT)[:-1], http(b"?")])
def test_no_call_is_repeated(call: Callable[[Gateway], Any], behaviour: Behaviour, answers: Answers) -> None:
    server = answers(behaviour)
    with pytest.raises(InDoubt):
        call(client(server))
    assert len(server.asked) == 1


def test_a_redirect_is_not_followed(answers: Answers) -> None:
    elsewhere = answers(http(SENT))
    to = b"Location: " + elsewhere.url.encode() + b"gsend.asp\r\n"
    with pytest.raises(Unreadable, match="302"):
        send(client(answers(http(b"", b"302 Found", headers=to))))
    assert elsewhere.asked == []


def test_what_was_read_of_a_reply_is_not_lost(answers: Answers) -> None:
    reply = b"id=7&err=&src=13900000001&msg=0000&dst=1069&time=200505241713"
    for behaviour in (http(reply, b"500 Error"), http(reply + b"x")[:-1], Drip(http(reply + b"x" * 99)[:-99], b"")):
        with pytest.raises(Unreadable) as doubt:
            client(answers(behaviour), timeout=1).fetch_reply()
        assert doubt.value.body == reply


WHOLE = [
    http(SENT),
    http(SENT, length=False),
    http(SENT, headers=b"Connection: keep-alive\r\n"),
    b"HTTP/1.0 200 OK\r\n\r\n" + SENT,
    b"HTTP/1.1 100 Continue\r\n\r\n" + http(SENT),
    b"HTTP/1.1 200 OK\nContent-Length: %d\n\n" % len(SENT) + SENT,
    b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nnum=1\r\n28\r\n" + SENT[5:] + b"\r\n0\r\n\r\n",
    http(SENT + b"&x=" + b"x" * (LARGEST_ANSWER - 500)),
]


@pytest.mark.parametrize("answer", WHOLE)
def test_a_whole_answer_is_read_however_http_writes_it(answer: bytes, answers: Answers) -> None:
    assert send(client(answers(answer))).accepted == ("13900000001",)


def test_whether_http_told_the_length_decides_what_an_open_end_is_worth(answers: Answers) -> None:
    assert send(client(answers(http(b"num=1")))).num == 1
    with pytest.raises(Unreadable):
        send(client(answers(http(b"num=1", length=False))))


def test_each_call_has_a_connection_of_its_own(answers: Answers) -> None:
    server = answers(http(b"id=1&errid=0", headers=b"Connection: keep-alive\r\n"))
    gateway = client(server)
    assert [gateway.balance().amount for _ in range(3)] == [1, 1, 1]
    assert len(server.asked) == 3


def test_where_nobody_listens_nothing_was_sent() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        for call in CALLS:
            with pytest.raises(NotSent, match="refused") as failure:
                call(Gateway(f"http://127.0.0.1:{port}/send/", "shop", PASSWORD, method="get"))
            assert f"127.0.0.1:{port}" in str(failure.value)


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example", ".example"])
def test_a_host_that_can_not_be_one_is_not_sent_to(host: str) -> None:
    for scheme in ("http", "https"):
        with pytest.raises(NotSent):
            send(Gateway(f"{scheme}://{host}/send/", "shop", PASSWORD))


@pytest.mark.parametrize("behaviour", [Deaf(), b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_without_tls_nothing_was_sent(behaviour: Behaviour, answers: Answers) -> None:
    server = answers(behaviour)
    with pytest.raises(NotSent):
        send(Gateway(f"https://127.0.0.1:{server.port}/send/", "shop", PASSWORD, timeout=1))
    assert all(PASSWORD.encode() not in asked.line + asked.headers + asked.body for asked in server.asked)


def test_over_tls_a_trusted_gateway_is_asked(
    answers: Answers, authority_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    assert send(client(answers(http(SENT), tls=True))).accepted == ("13900000001",)
    assert send(client(answers(http(SENT, length=False), tls=True))).accepted == ("13900000001",)


@pytest.mark.parametrize(
    "behaviour", [b"", Silence(), Reset(), http(SENT)[:-1], Drip(http(SENT)[:-1], b""), http(b"num=1", length=False)]
)
def test_over_tls_too_a_call_without_a_whole_answer_is_in_doubt(
    behaviour: Behaviour, answers: Answers, authority_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    server = answers(behaviour, tls=True)
    with pytest.raises(InDoubt):
        send(client(server, timeout=1))
    assert len(server.asked) == 1


def test_a_gateway_that_can_not_prove_who_it_is_learns_nothing(
    answers: Answers, authority_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = answers(http(SENT), tls=True)
    with pytest.raises(NotSent, match="certificate can't be trusted"):
        send(client(server))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    with pytest.raises(NotSent, match="certificate can't be trusted"):
        send(Gateway(server.url.replace("127.0.0.1", "localhost"), "shop", PASSWORD, method="post"))
    assert server.asked == []


def test_a_gateway_that_takes_no_more_bytes_does_not_hold_us() -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        held: list[socket.socket] = []
        accepting = threading.Thread(target=lambda: held.append(listener.accept()[0]), daemon=True)
        accepting.start()
        site = Site.of(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        with pytest.raises(InDoubt, match="in time"):
            exchange(site, "post", "gsend.asp", Form(b"x" * 20_000_000), Deadline(1))
        accepting.join(10)
        held[0].close()


def test_no_socket_is_left_open(answers: Answers) -> None:
    for behaviour in (http(SENT), Reset(), http(SENT)[:-1], Silence()):
        server: Answering = answers(behaviour)
        ended = client(server, timeout=1)
        try:
            send(ended)
        except InDoubt:
            continue

"""A connection that stands before a send is asked for: it needs but be written, and where that fails nothing left."""

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from receiver.gateway import Gateway, InDoubt, Line, NotSent, Unsendable
from tests.gateway.client.conftest import PASSWORD, Answers, client
from tests.gateway.client.wire import Reset, Unasked, http

SENT = http(b"num=1&success=13900000001&faile=&err=&errid=0")
PHONES = ["13900000001"]


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def tls(request: pytest.FixtureRequest, authority_file: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    is_on: bool = request.param
    return is_on


def socket_of(line: Line) -> socket.socket:
    connection: Any = line._connection
    held: socket.socket = connection._socket
    return held


def test_a_line_is_made_without_a_word_and_serves_one_send(answers: Answers, tls: bool) -> None:
    server = answers(SENT, tls=tls)
    with client(server).connect() as line:
        assert server.asked == []
        assert line.send(PHONES, "a").num == 1
        with pytest.raises(NotSent):
            line.send(PHONES, "a")
    assert len(server.asked) == 1


def test_a_line_that_is_not_used_is_closed(answers: Answers, tls: bool) -> None:
    server = answers(SENT, tls=tls)
    with client(server).connect() as line:
        held = socket_of(line)
    assert held.fileno() == -1
    with client(server).connect() as line, pytest.raises(Unsendable):
        line.send(PHONES, "")
    assert socket_of(line).fileno() == -1
    assert server.asked == []


def test_right_before_the_first_byte_it_is_asked_whether_to(answers: Answers, tls: bool) -> None:
    server = answers(SENT, tls=tls)

    def no() -> None:
        raise NotSent("not now")

    with client(server).connect() as line, pytest.raises(NotSent, match="not now"):
        line.send(PHONES, "a", ready=no)
    # The server deals with one connection after the other: had a byte come, it would be there.
    client(server).send(PHONES, "b")
    assert [asked.parameters["msg"] for asked in server.asked] == [b"b"]


@pytest.mark.parametrize("unasked", [Unasked(), Unasked(b"HTTP/1.1 408 Request Timeout\r\n\r\n"), Unasked(reset=True)])
def test_on_a_line_that_the_gateway_has_hung_up_nothing_is_sent(answers: Answers, tls: bool, unasked: Unasked) -> None:
    server = answers(unasked, tls=tls)
    asked = []
    with client(server).connect() as line:
        server.hang_up(socket_of(line))
        with pytest.raises(NotSent, match="of no use") as failure:
            line.send(PHONES, "a", ready=lambda: asked.append("ready"))
    assert asked == []
    assert "1390000" not in str(failure.value)
    assert PASSWORD not in str(failure.value)


def test_where_the_first_write_fails_nothing_was_sent(answers: Answers) -> None:
    server = answers(Unasked(reset=True))
    with client(server).connect() as line:
        # Broken off in the moment between the look at the connection and the write.
        line._connection._check_open = lambda: None  # type: ignore[attr-defined]
        with pytest.raises(NotSent):
            line.send(PHONES, "a", ready=lambda: server.hang_up(socket_of(line)))


def test_a_send_that_was_written_and_got_no_answer_is_in_doubt_on_a_line_too(answers: Answers, tls: bool) -> None:
    server = answers(Reset(), tls=tls)
    with client(server).connect() as line, pytest.raises(InDoubt):
        line.send(PHONES, "a")
    assert len(server.asked) == 1


def test_a_line_may_stand_for_longer_than_a_call_takes(answers: Answers) -> None:
    server = answers(SENT)
    with client(server, timeout=0.5).connect() as line:
        threading.Event().wait(0.6)
        assert line.send(PHONES, "a").num == 1


def test_where_nobody_listens_there_is_no_line() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(NotSent, match="refused"):
            Gateway(f"http://127.0.0.1:{unused.getsockname()[1]}/", "shop", PASSWORD, method="post").connect()

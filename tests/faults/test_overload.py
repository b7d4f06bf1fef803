"""More than it can take: what is accepted is stored, the rest is told -4 at once, and memory stays bounded."""

import os
import selectors
import socket
import time
from contextlib import ExitStack, closing
from pathlib import Path

import psutil
import pytest

from receiver.gateway.simulator.load import Load
from receiver.gateway.simulator.target import Target
from receiver.store.store import Store
from tests.serving import Server

pytestmark = pytest.mark.slow  # the whole file: it is begun with

MEGABYTE = 1 << 20
# Let in at once, and how many times as many come.
WAITING, TIMES = 16, 10
PUSHED = 6_000
# ``make soak`` opens ten thousand. One process holds four thousand (receiver.server), others wait for their turn.
IDLE = int(os.environ.get("IDLE_CONNECTIONS", "2000"))
TRICKLING = 20
# Seconds that the server gives a request, and some.
CLOSED_WITHIN = 40.0


def memory(server: Server) -> int:
    return sum(psutil.Process(pid).memory_info().rss for pid in server.workers())


def test_at_ten_times_what_it_takes_at_once_all_that_is_accepted_is_stored(database_url: str, tmp_path: Path) -> None:
    with Server(database_url, tmp_path, {"RECEIVER_MAX_WAITING": str(WAITING)}) as server:
        assert server.get("/recv.asp?src=13900000001&dst=1069&msg=first") == b"0"
        before = memory(server)
        load = Load(Target.of(server.url), connections=WAITING * TIMES, count=PUSHED, unsubscribes=0.1, timeout=30)
        load.start()
        load.wait()
        assert memory(server) < before + 40 * MEGABYTE
        assert server.get("/recv.asp?src=13900000001&dst=1069&msg=after") == b"0"
        server.wait_until_stored()
        with closing(Store(database_url, pooled=False)) as store:
            audit = load.audit(store)
    account = load.account
    assert (account.sent, account.unanswered) == (PUSHED, 0)
    assert account.refused.keys() == {"-4"}
    assert account.acknowledged + account.refused["-4"] == PUSHED
    assert account.acknowledged > 0
    assert audit.ok, audit


def test_thousands_that_say_nothing_and_some_that_never_end_hold_nobody_up(sqlite_url: str, tmp_path: Path) -> None:
    with Server(sqlite_url, tmp_path) as server, ExitStack() as stack:
        before = memory(server)
        idle = [_connected(stack, server.port) for _ in range(IDLE)]
        trickling = [_connected(stack, server.port) for _ in range(TRICKLING)]
        assert server.get("/recv.asp?src=13900000001&dst=1069&msg=meanwhile") == b"0"
        assert memory(server) < before + IDLE * MEGABYTE / 20
        _trickle_until_closed(trickling)
        _until_closed(idle)
        assert server.get("/recv.asp?src=13900000001&dst=1069&msg=after") == b"0"
        assert "Traceback" not in server.log


def _connected(stack: ExitStack, port: int) -> socket.socket:
    connection = stack.enter_context(socket.socket())
    connection.setblocking(False)
    connection.connect_ex(("127.0.0.1", port))
    return connection


def _trickle_until_closed(connections: list[socket.socket]) -> None:
    """A byte of a request now and then: no single one comes late, and the request never ends."""
    open_ones, deadline = connections, time.monotonic() + CLOSED_WITHIN
    while open_ones:
        assert time.monotonic() < deadline, "a request that never ends holds its connection"
        open_ones = [connection for connection in open_ones if _sends(connection, b"G")]
        time.sleep(0.3)


def _sends(connection: socket.socket, byte: bytes) -> bool:
    try:
        connection.send(byte)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True


def _until_closed(connections: list[socket.socket]) -> None:
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ)
        deadline = time.monotonic() + CLOSED_WITHIN
        while selector.get_map():
            assert time.monotonic() < deadline, "a connection that says nothing stays open"
            for key, _ in selector.select(timeout=1):
                assert isinstance(key.fileobj, socket.socket)
                assert key.fileobj.recv(100) == b""
                selector.unregister(key.fileobj)

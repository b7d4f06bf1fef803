"""Clients who never stop sending, and never get to the end."""

import contextlib
import socket
import subprocess
import threading
from pathlib import Path

from receiver.server import MOST_STREAMS
from tests.admin.console.visitor import Visitor
from tests.processes import Process
from tests.serving import free_port


def test_slow_requests_are_cut_off_and_hold_nobody_up(sqlite_url: str, tmp_path: Path) -> None:
    port = free_port()
    env = {"RECEIVER_DATABASE_URL": sqlite_url, "RECEIVER_ADMIN_BIND": f"127.0.0.1:{port}"}
    role = ("serve", "--role", "admin")
    options = {"cwd": tmp_path, "env": env, "stderr": subprocess.DEVNULL, "start_new_session": True}
    with Process("tests.attacks.hurried", *role, **options) as server:
        try:
            until_it_answers(port)
            everybody = [socket.create_connection(("127.0.0.1", port)) for _ in range(8 + MOST_STREAMS + 10)]
            for client in everybody:
                client.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
            is_over = threading.Event()
            dripping = threading.Thread(target=drip, args=(everybody, is_over))
            dripping.start()
            try:
                # As many are slow as there are threads, and more: all the same somebody else has a turn.
                assert Visitor(port).get("/healthz").status == 200
            finally:
                is_over.set()
                dripping.join()
                for client in everybody:
                    client.close()
        finally:
            server.terminate()


def until_it_answers(port: int) -> None:
    while True:
        with contextlib.suppress(OSError):
            if Visitor(port).get("/healthz").status == 200:
                return


def drip(clients: list[socket.socket], is_over: threading.Event) -> None:
    """Send a byte of each request again and again, for as long as anybody takes it."""
    while not is_over.wait(0.1):
        for client in clients:
            with contextlib.suppress(OSError):
                client.send(b"x")

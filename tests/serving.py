"""A web role in processes of its own, which a test may kill, stop and start again.

with Server(database_url, tmp_path) as server:
    server.get(b"/recv.asp?src=13900000001&dst=1069&msg=0000")   # b"0"
    server.kill9()
    server.start()
"""

import contextlib
import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from receiver import build
from receiver.intake.spool import Limits, Spool
from receiver.store.store import Store
from tests.processes import Process

READY_WITHIN = 30.0
STOPS_WITHIN = 40.0
STORES_WITHIN = 60.0
# What the callback's /healthz answers.
ALIVE = f"alive, receiver {build.name()}".encode()


class ServerFailed(Exception):
    """The server did not start, did not stop, or did not answer; the message ends with its log."""


class Server:
    """The callback role, or the one that ``role`` names, on ``127.0.0.1``; its port survives restarts.

    ``env`` are further settings by their full names (``RECEIVER_CALLBACK_TOKEN``); none are inherited. It runs in a
    folder of its own below ``directory``, which is its DATA_DIR too, and never reads a ``.env`` of the checkout.
    The database is migrated before the first start, unless ``migrate`` is false.
    """

    def __init__(
        self,
        database_url: str,
        directory: Path,
        env: Mapping[str, str] | None = None,
        *,
        migrate: bool = True,
        role: str = "callback",
    ) -> None:
        self.database_url = database_url
        self.role = role
        self._to_migrate = migrate
        self.port = free_port()
        self.directory = directory / f"server-{self.port}"
        self.directory.mkdir(parents=True)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RECEIVER_")}
        self.env = {
            **inherited,
            "RECEIVER_DATABASE_URL": database_url,
            "RECEIVER_DATA_DIR": str(self.directory),
            f"RECEIVER_{role.upper()}_BIND": f"127.0.0.1:{self.port}",
            **(env or {}),
        }
        self._process: subprocess.Popen[Any] | None = None

    def __enter__(self) -> "Server":
        try:
            self.start()
        except BaseException:
            self.kill9()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.kill9()

    @property
    def base(self) -> str:
        """``http://127.0.0.1:<port>``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where the gateway pushes to."""
        return self.base + self.env.get("RECEIVER_CALLBACK_PATH", "/recv.asp")

    @property
    def log(self) -> str:
        """Everything that it wrote so far, over all restarts."""
        path = self.directory / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def data_dir(self) -> Path:
        """Its DATA_DIR."""
        return Path(self.env["RECEIVER_DATA_DIR"])

    def running(self) -> bool:
        """Whether its first process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ServerFailed("the server was not started")
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until /healthz answers."""
        if self.running():
            return
        if self._to_migrate:
            migrate(self.database_url)
            self._to_migrate = False
        with (self.directory / "server.log").open("ab") as log:
            # A library is preloaded where a program is begun, and not where a process is forked.
            serve = _program if "LD_PRELOAD" in self.env else Process
            self._process = serve(
                "receiver",
                "serve",
                "--role",
                self.role,
                cwd=self.directory,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that all of it can be killed at once, and Ctrl-C is for us
            )
        deadline = time.monotonic() + READY_WITHIN
        while not self.answers():
            if not self.running():
                raise ServerFailed(f"the server exited with {self._process.returncode} while starting\n{self.log}")
            if time.monotonic() > deadline:
                raise ServerFailed(f"the server does not answer after {READY_WITHIN:.0f} s\n{self.log}")
            time.sleep(0.02)

    def terminate(self) -> int:
        """SIGTERM, as a service manager stops it: wait until it has drained; its exit status."""
        if self._process is None:
            raise ServerFailed("the server was not started")
        self._process.terminate()
        try:
            status = self._process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            raise ServerFailed(f"the server still runs {STOPS_WITHIN:.0f} s after SIGTERM\n{self.log}") from None
        self.kill9()  # nothing is left of it; but were there something, no later test should meet it
        return status

    def kill9(self) -> None:
        """SIGKILL to all its processes at once; nothing if it does not run. Returns when the port is free."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(STOPS_WITHIN)
        deadline = time.monotonic() + STOPS_WITHIN
        while not _is_free(self.port):
            if time.monotonic() > deadline:
                raise ServerFailed(f"port {self.port} is still taken after SIGKILL\n{self.log}")
            time.sleep(0.01)
        self._process = None

    def kill9_workers(self) -> None:
        """SIGKILL to the processes that answer requests alone; who started them is to notice and start new ones."""
        for pid in self.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def workers(self) -> list[int]:
        """The ids of the processes that answer requests."""
        return [child for child, parent in _parents().items() if parent == self.pid]

    def restart(self) -> None:
        """Stop it cleanly, where it runs, and start it again."""
        if self.running():
            self.terminate()
        self.start()

    @property
    def spool(self) -> Spool:
        """What it can't store waits there."""
        return Spool(self.data_dir, Limits(0, 0))

    def wait_until_stored(self) -> None:
        """Until nothing waits in its spool: what it could not store at once is in the database then."""
        deadline = time.monotonic() + STORES_WITHIN
        while not self.spool.is_empty():
            if time.monotonic() > deadline:
                raise ServerFailed(f"the spool is not empty after {STORES_WITHIN:.0f} s\n{self.log}")
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether /healthz answers 200."""
        try:
            return self.request("GET", "/healthz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def get(self, target: str | bytes) -> bytes:
        """The body of the answer to a GET of ``target``: whatever bytes it holds go on the wire as they are."""
        raw = target.encode() if isinstance(target, str) else target
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(b"GET " + raw + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            response = http.client.HTTPResponse(connection)
            response.begin()
            return response.read()

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of any other request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def free_port() -> int:
    """A port that is free now, below the range that outgoing connections are given theirs from (tests.postgres)."""
    for port in random.sample(range(20_000, 32_000), 100):
        if _is_free(port):
            return port
    raise ServerFailed("no free port between 20000 and 32000 on 127.0.0.1")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections in TIME_WAIT don't count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _program(module: str, *arguments: str, **options: Any) -> "subprocess.Popen[Any]":
    return subprocess.Popen([sys.executable, "-m", module, *arguments], **options)


def migrate(database_url: str) -> None:
    """Bring the schema to its newest revision."""
    store = Store(database_url, pooled=False)
    store.ensure_current()
    store.close()


def _parents() -> dict[int, int]:
    """Every process's parent, by its id."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # pid (command) state ppid …; the command may hold anything, parentheses too
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
    return parents

"""One contender's server, on a port and a database of its own, and what it takes of the machine."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import psutil
from sqlalchemy import func, select

from receiver.intake.spool import Limits, Spool
from receiver.store.store import Store
from receiver.store.tables import messages
from tests.serving import free_port

from .contenders import Contender, Database

READY_WITHIN = 30.0
STOPS_WITHIN = 30.0
_PROBE = "/recv.asp?src=15900000000&dst=10690000&msg=ready"


class ServerFailed(Exception):
    """A server did not start or did not answer ``0``; the message ends with its log."""


class Server:
    """Runs within ``with``, once it has answered a reply with ``0``. ``database_url`` is of an empty database."""

    def __init__(self, contender: Contender, database_url: str, directory: Path) -> None:
        self.contender = contender
        self.port = free_port()
        self._store = Store(database_url, pooled=False)
        self._database_url = database_url
        self._directory = directory
        self._log = directory / "server.log"
        self._process: psutil.Popen | None = None

    def __enter__(self) -> "Server":
        self._directory.mkdir(parents=True, exist_ok=True)
        self._store.ensure_current()
        # No setting but these: neither from the environment nor from a .env of the folder that we run in.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RECEIVER_")}
        environment |= {
            "RECEIVER_DATABASE_URL": self._database_url,
            "RECEIVER_DATA_DIR": str(self._directory),
            "RECEIVER_CALLBACK_BIND": f"127.0.0.1:{self.port}",
        }
        with self._log.open("ab") as log:
            self._process = psutil.Popen(
                [sys.executable, "-m", *self.contender.module.split()],
                cwd=self._directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that all of it can be ended at once
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stop()

    @contextlib.contextmanager
    def as_measured(self) -> Iterator[int | None]:
        """Have its database as it is to be, locked where the spool is measured; how many rows are stored before."""
        before = self.stored()
        if self.contender.database is not Database.SPOOL:
            yield before
            return
        assert before is not None
        with self._store.writing():
            self._wait_until_ready()  # this reply waits for the database, the next ones don't
            yield before + 1

    def cpu_seconds(self) -> float:
        """Processor time of all its processes until now, in user and system mode."""
        return sum(times.user + times.system for times in (process.cpu_times() for process in self._processes()))

    def memory_mb(self) -> float:
        """Resident memory of the process that answers requests, in MB of 2**20 bytes."""
        return max(process.memory_info().rss for process in self._processes()) / 2**20

    def stored(self) -> int | None:
        """Rows in its table, once its spool is empty; None where it stores none."""
        if self.contender.database is Database.NONE:
            return None
        spool = Spool(self._directory, Limits(0, 0))
        while not spool.is_empty():
            self._processes()
            time.sleep(0.1)
        with self._store.reading() as connection:
            return connection.scalar(select(func.count()).select_from(messages))

    def log_tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])

    def _processes(self) -> list[psutil.Process]:
        if self._process is None or self._process.poll() is not None:
            raise ServerFailed(f"{self.contender} is not running\n{self.log_tail()}")
        parent = psutil.Process(self._process.pid)
        return [parent, *parent.children(recursive=True)]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while (answer := self._answer()) is None:
            self._processes()
            if time.monotonic() > deadline:
                raise ServerFailed(f"{self.contender} does not answer after {READY_WITHIN:.0f} s\n{self.log_tail()}")
            time.sleep(0.05)
        if answer != b"0":
            raise ServerFailed(f"{self.contender} answers {answer[:200]!r}, not 0\n{self.log_tail()}")

    def _answer(self) -> bytes | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", _PROBE)
            return connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOPS_WITHIN)
            except psutil.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(STOPS_WITHIN)
        self._store.close()

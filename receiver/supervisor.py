"""Runs the roles as processes of their own: starts them, starts again the one that dies, drains them all."""

import ctypes
import http.client
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_log = logging.getLogger(__name__)

READY_SECONDS = 20.0
# Gunicorn drains for less (receiver.server); past this a role is killed.
STOP_SECONDS = 25.0
_TICK = 0.05
# A role that dies again and again is started again ever more slowly, until it has lived for a minute.
_FIRST_DELAY, _LONGEST_DELAY, _HEALTHY_SECONDS = 0.2, 10.0, 60.0
_PR_SET_PDEATHSIG = 1


@dataclass
class _Role:
    name: str
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    delay: float = _FIRST_DELAY
    start_at: float = field(default_factory=time.monotonic)


class Supervisor:
    """Keeps ``roles`` (names that ``receiver serve --role`` knows) running."""

    def __init__(self, roles: Sequence[str]) -> None:
        self._roles = [_Role(name) for name in roles]
        self._stopping = False

    def start(self) -> None:
        """Start every role, and take the signals over."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._stop)
        for role in self._roles:
            self._start(role)

    def wait_ready(self, binds: Mapping[str, str]) -> bool:
        """Whether every role answers ``/healthz`` at its address within twenty seconds."""
        deadline = time.monotonic() + READY_SECONDS
        waiting = dict(binds)
        while waiting and time.monotonic() < deadline and not self._stopping:
            self._revive()
            waiting = {name: bind for name, bind in waiting.items() if not _is_alive(bind)}
            time.sleep(_TICK)
        if waiting and not self._stopping:
            _log.error("not ready after %d s: %s", READY_SECONDS, ", ".join(waiting))
        return not waiting

    def run(self) -> int:
        """Watch over the roles until told to stop; the exit status: 0, or 1 where a role had to be killed."""
        while not self._stopping:
            self._revive()
            time.sleep(_TICK)
        return self._drain()

    def _stop(self, *_: Any) -> None:
        self._stopping = True

    def _start(self, role: _Role) -> None:
        # In a group of its own: Ctrl-C in a terminal comes to us alone, and we pass it on as SIGTERM.
        role.process = subprocess.Popen(
            [sys.executable, "-m", "receiver", "serve", "--role", role.name],
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            start_new_session=True,
        )
        role.started = time.monotonic()

    def _revive(self) -> None:
        now = time.monotonic()
        for role in self._roles:
            if role.process is not None and role.process.poll() is not None:
                lived = now - role.started
                role.delay = _FIRST_DELAY if lived > _HEALTHY_SECONDS else min(role.delay * 2, _LONGEST_DELAY)
                role.start_at = now + role.delay
                status = role.process.returncode
                _log.error("%s ended with status %s; starting it again in %.1f s", role.name, status, role.delay)
                role.process = None
            if role.process is None and now >= role.start_at and not self._stopping:
                self._start(role)

    def _drain(self) -> int:
        running = [role.process for role in self._roles if role.process is not None]
        for process in running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        killed = 0
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _log.error("process %d did not end in %d s: killed", process.pid, STOP_SECONDS)
                os.killpg(process.pid, signal.SIGKILL)
                killed = 1
        return killed


def _die_with_parent() -> None:
    # Killed with -9 we can't pass the signal on; orphans would hold the ports.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _is_alive(bind: str) -> bool:
    host, _, port = bind.rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]"))
    connection = http.client.HTTPConnection(host, int(port), timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

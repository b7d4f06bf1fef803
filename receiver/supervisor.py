"""Runs the roles as processes of their own: starts them, starts again the one that dies, drains them all."""

import ctypes
import http.client
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_log = logging.getLogger(__name__)

READY_SECONDS = 20.0
# Gunicorn drains for less (receiver.server); past this a role is killed, unless it was given longer.
STOP_SECONDS = 25.0
_TICK = 0.05
# A role that dies again and again is started again ever more slowly, until it has lived for a minute.
_FIRST_DELAY, _LONGEST_DELAY, _HEALTHY_SECONDS = 0.2, 10.0, 60.0
_PR_SET_PDEATHSIG = 1


@dataclass
class _Role:
    name: str
    run: Callable[[], None]
    process: Any = None
    started: float = 0.0
    delay: float = _FIRST_DELAY
    start_at: float = field(default_factory=time.monotonic)
    once: bool = False

    def is_done(self) -> bool:
        return self.once and self.process is not None and self.process.exitcode == 0


class Supervisor:
    """Keeps roles running, each a process of its own: a name, and what runs it until SIGTERM.

    A task of ``once`` is such a process too, but is done when it has returned without an error. ``patience`` is how
    many seconds a role may take to end that takes longer than others.
    They are forked, so that what they share is imported once. No thread may run in this process, and no connection
    be open.
    """

    def __init__(
        self,
        roles: Mapping[str, Callable[[], None]],
        once: Mapping[str, Callable[[], None]] | None = None,
        patience: Mapping[str, float] | None = None,
    ) -> None:
        self._patience = patience or {}
        self._roles = [_Role(name, run) for name, run in roles.items()]
        self._roles += [_Role(name, run, once=True) for name, run in (once or {}).items()]
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
        return self.drain()

    def _stop(self, *_: Any) -> None:
        self._stopping = True

    def _start(self, role: _Role) -> None:
        role.process = multiprocessing.get_context("fork").Process(target=_become, args=(role.run,), name=role.name)
        role.process.start()
        role.started = time.monotonic()

    def _revive(self) -> None:
        now = time.monotonic()
        self._roles = [role for role in self._roles if not role.is_done()]
        for role in self._roles:
            if role.process is not None and not role.process.is_alive():
                lived = now - role.started
                role.delay = _FIRST_DELAY if lived > _HEALTHY_SECONDS else min(role.delay * 2, _LONGEST_DELAY)
                role.start_at = now + role.delay
                status = role.process.exitcode
                _log.error("%s ended with status %s; starting it again in %.1f s", role.name, status, role.delay)
                role.process = None
            if role.process is None and now >= role.start_at and not self._stopping:
                try:
                    self._start(role)
                except OSError as error:  # no process or memory to be had just now
                    role.start_at = now + _LONGEST_DELAY
                    _log.error("%s can't be started now: %s", role.name, error)

    def drain(self) -> int:
        """End every role: what was accepted is committed and answered; the exit status as of ``run``."""
        self._stopping = True
        running = sorted(
            ((self._patience.get(role.name, STOP_SECONDS), role.process) for role in self._roles if role.process),
            key=lambda each: each[0],
        )
        for _, process in running:
            process.terminate()
        began = time.monotonic()
        killed = 0
        for patience, process in running:
            process.join(max(0.0, began + patience - time.monotonic()))
            if process.is_alive():
                _log.error("process %d did not end in %d s: killed", process.pid, patience)
                os.killpg(process.pid, signal.SIGKILL)
                killed = 1
        return killed


def _become(run: Callable[[], None]) -> None:
    # In a group of its own: Ctrl-C in a terminal comes to the supervisor alone, which passes it on as SIGTERM.
    os.setsid()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, signal.SIG_DFL)
    if sys.platform == "linux":
        # Killed with -9 the supervisor can't pass anything on; orphans would hold the ports.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    run()


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

"""Group commit for a process of greenlets: the database's thread never holds up the event loop."""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gevent

from .group_commit import Signal

# Seconds. Longer than any process lives.
_FOREVER = 1e9


class Greenlets:
    """Waiters are greenlets of the hub that made this; ``threading`` must not be patched.

    A batch starts when every request that was ready has been read, so that one transaction serves them all: started
    at the first of them, it held two of sixty-four, and cost a third of the throughput (``make bench``).
    """

    def __init__(self) -> None:
        loop = gevent.get_hub().loop
        self._timer = loop.timer(0)
        self._soon: list[Callable[[], None]] = []
        self._wake = loop.async_()
        self._calls: deque[Callable[[], None]] = deque()
        self._wake.start(self._run_calls)
        self._hub_thread = threading.get_ident()

    def signal(self) -> Signal:
        return _Signal()

    def soon(self, call: Callable[[], None]) -> None:
        if threading.get_ident() != self._hub_thread:
            call()
            return
        # One timer for all who share this: to start it again for another would forget whom it was started for.
        self._soon.append(call)
        if len(self._soon) == 1:
            self._timer.start(self._run_soon)

    def deliver(self, call: Callable[[], None]) -> None:
        self._calls.append(call)
        self._wake.send()

    def _run_soon(self) -> None:
        calls, self._soon = self._soon, []
        for call in calls:
            call()

    def _run_calls(self) -> None:
        while self._calls:
            self._calls.popleft()()


class _Signal:
    """A flag that greenlets wait for, with one timer for all: it runs for whoever's time is up next."""

    __slots__ = ("_hub", "_is_set", "_timer", "_waiters")

    def __init__(self) -> None:
        self._hub = gevent.get_hub()
        self._waiters: deque[tuple[float, Any]] = deque()
        self._timer: Any = None
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        if self._is_set:
            return True
        # All wait equally long, so that the first in line is the first whose time is up.
        waiter = (time.monotonic() + (timeout if timeout is not None else _FOREVER), gevent.getcurrent())
        self._waiters.append(waiter)
        if self._timer is None:
            self._arm()
        try:
            self._hub.switch()
        except BaseException:
            with suppress(ValueError):
                self._waiters.remove(waiter)  # killed while it waited: nobody may wake it for us later
            raise
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        if self._timer is not None:
            self._timer.close()
            self._timer = None
        self._wake(len(self._waiters))

    def _arm(self) -> None:
        self._timer = self._hub.loop.timer(max(0.0, self._waiters[0][0] - time.monotonic()))
        self._timer.start(self._expire)

    def _expire(self) -> None:
        self._timer.close()
        self._timer = None
        now = time.monotonic()
        self._wake(sum(1 for deadline, _ in self._waiters if deadline <= now))
        if self._waiters:
            self._arm()

    def _wake(self, count: int) -> None:
        for _ in range(count):
            self._hub.loop.run_callback(self._waiters.popleft()[1].switch)

"""Many pushes at once: threads that each push one reply after another, at a pace, until told to stop."""

import threading
import time
from collections.abc import Callable

from .connection import Answer, Connection
from .target import Target

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5


class Drive:
    """Pushes number 0, 1, 2 … over ``connections`` connections.

    ``request`` makes a number's request, ``took`` hears its answer; ``took`` is never called twice at once. ``count``
    and ``rate`` (per second) are bounds, None for none. ``patience`` is how many seconds the server may be out of
    reach before the drive gives up: at once where it was never reached at all; None: never. With ``persistent`` a
    number that could not be sent is tried until it was; it is not otherwise.
    """

    def __init__(
        self,
        target: Target,
        request: Callable[[int], bytes],
        took: Callable[[int, Answer], None],
        *,
        connections: int = 1,
        count: int | None = None,
        rate: float | None = None,
        timeout: float = 10.0,
        patience: float | None = 30.0,
        persistent: bool = False,
    ) -> None:
        self._target = target
        self._request = request
        self._took = took
        self._count = count
        self._rate = rate
        self._timeout = timeout
        self._patience = patience
        self._persistent = persistent
        self._lock = threading.Lock()
        self._next = 0
        self._started = 0.0
        self._reached: float | None = None
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"push-{number}", daemon=True)
            for number in range(max(1, connections))
        ]
        self._failure: BaseException | None = None

    def start(self) -> None:
        self._started = time.monotonic()
        for thread in self._threads:
            thread.start()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until all is done or given up, at most ``seconds``; whether it is over. Raises what a thread raised."""
        deadline = None if seconds is None else time.monotonic() + seconds
        for thread in self._threads:
            # In short turns, so that Ctrl-C is heard.
            while thread.is_alive() and (deadline is None or time.monotonic() < deadline):
                thread.join(0.2 if deadline is None else max(0.0, min(0.2, deadline - time.monotonic())))
        if self._failure is not None:
            raise self._failure
        return not any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Push nothing new, and wait for the answers to what was pushed."""
        self._stopping.set()
        self.wait()

    def _run(self) -> None:
        try:
            with Connection(self._target, self._timeout) as connection:
                while (number := self._take()) is not None:
                    self._push(connection, number)
        except BaseException as failure:
            self._failure = failure
            self._stopping.set()

    def _take(self) -> int | None:
        with self._lock:
            if self._stopping.is_set() or (self._count is not None and self._next >= self._count):
                return None
            number = self._next
            self._next += 1
        if self._rate is not None:
            self._stopping.wait(max(0.0, self._started + number / self._rate - time.monotonic()))
        return None if self._stopping.is_set() else number

    def _push(self, connection: Connection, number: int) -> None:
        request = self._request(number)
        pause = _FIRST_PAUSE
        while True:
            answer = connection.ask(request)
            with self._lock:
                self._took(number, answer)
            if not answer.unreachable:
                self._reached = time.monotonic()
                return
            if self._is_hopeless():
                self._stopping.set()
            self._stopping.wait(pause)
            if self._stopping.is_set() or not self._persistent:
                return
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _is_hopeless(self) -> bool:
        if self._patience is None:
            return False
        return self._reached is None or time.monotonic() - self._reached > self._patience

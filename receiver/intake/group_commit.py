"""Group commit: all that is waiting is written in one transaction by one thread, then all are answered.

One fsync serves many. Under light load a batch is one reply and the latency one commit.
"""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from receiver.observability import place_of
from receiver.tally import Commits

from .outcome import Outcome

_log = logging.getLogger(__name__)

Item = TypeVar("Item")

# Rows of one transaction at most: bounds how long one takes, and its locks (store.record) on PostgreSQL.
LARGEST_BATCH = 256
# Seconds that a process which ends waits for a thread whose write hangs.
CLOSE_WITHIN = 5.0


class Signal(Protocol):
    def set(self) -> None: ...
    def wait(self, timeout: float | None = None) -> bool: ...


class Host(Protocol):
    """How those who wait are run: as threads, or as greenlets of one event loop."""

    def signal(self) -> Signal:
        """A flag that many wait for."""

    def soon(self, call: Callable[[], None]) -> None:
        """Call, from a waiter's side, when all that could run now has had its turn."""

    def deliver(self, call: Callable[[], None]) -> None:
        """Call from the writer's thread, on the waiters' side."""


class Threads:
    """Waiters are threads: nothing to arrange."""

    def signal(self) -> Signal:
        return threading.Event()

    def soon(self, call: Callable[[], None]) -> None:
        call()

    def deliver(self, call: Callable[[], None]) -> None:
        call()


class _Batch(Generic[Item]):
    __slots__ = ("done", "items", "outcomes")

    def __init__(self, done: Signal) -> None:
        self.items: list[Item] = []
        self.outcomes: Sequence[Outcome] = ()
        self.done = done


class GroupCommit(Generic[Item]):
    """Collects items into batches and has each batch written as one.

    ``write`` takes a batch and returns an outcome for each item, in order; it is only ever called from one thread.
    ``tally`` is where batches are counted. ``max_waiting`` bounds how many items are in memory, ``timeout`` (seconds)
    how long one is waited for.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Sequence[Outcome]],
        tally: Commits,
        *,
        max_waiting: int,
        timeout: float,
        host: Host | None = None,
    ) -> None:
        self._write = write
        self._tally = tally
        self._max_waiting = max_waiting
        self._timeout = timeout
        self._host = host or Threads()
        self._lock = threading.Lock()
        self._pending: deque[_Batch[Item]] = deque()
        self._waiting = 0
        self._committing = False
        self._go = threading.Semaphore(0)
        self._closed = False
        self._began: float | None = None
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._pid: int | None = None

    @property
    def waiting(self) -> int:
        """Items accepted and not yet committed."""
        return self._waiting

    @property
    def seconds_in_write(self) -> float:
        """How long the batch that is being written has been; 0 where none is."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    def submit(self, item: Item) -> Outcome:
        """Have ``item`` written with the next batch and wait for that.

        ``BUSY`` at once where too many wait; ``UNAVAILABLE`` after ``timeout`` where the database hangs: the item stays
        in line and may still be stored, but nothing was promised.
        """
        placed = self.offer(item)
        if placed is None:
            return Outcome.BUSY
        batch, position = placed
        batch.done.wait(self._timeout)
        return batch.outcomes[position] if batch.outcomes else Outcome.UNAVAILABLE

    def offer(self, item: Item) -> tuple["_Batch[Item]", int] | None:
        """Have ``item`` written with the next batch, without waiting; None where too many wait already."""
        with self._lock:
            if self._pid != os.getpid():
                self._start()
            if self._waiting >= self._max_waiting or self._closed:
                return None
            if not self._pending or len(self._pending[-1].items) >= LARGEST_BATCH:
                self._pending.append(_Batch(self._host.signal()))
            batch = self._pending[-1]
            batch.items.append(item)
            self._waiting += 1
            self._tally.waiting.add()
            start = not self._committing
            self._committing = True
        if start:
            self._host.soon(self._go.release)
        return batch, len(batch.items) - 1

    def _start(self) -> None:
        # At the first use, and again in a forked process, which has none of its parent's threads.
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._thread.start()

    def close(self, within: float | None = None) -> bool:
        """Refuse what is new, write what waits, and end the thread; whether it has ended ``within`` so many seconds."""
        with self._lock:
            self._closed = True
        self._go.release()
        if self._pid == os.getpid():
            self._thread.join(within)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            self._go.acquire()
            with self._lock:
                batch = self._pending.popleft() if self._pending else None
            if batch is None:
                return
            outcomes = self._outcomes(batch)
            self._host.deliver(lambda batch=batch, outcomes=outcomes: self._finish(batch, outcomes))  # type: ignore[misc]
            if self._closed:
                # Whoever closes waits for this thread, and may be the one who would let it go on: an event loop.
                self._go.release()

    def _outcomes(self, batch: _Batch[Item]) -> Sequence[Outcome]:
        began = time.monotonic_ns()
        self._began = began * 1e-9
        try:
            outcomes = self._write(batch.items)
        except Exception as failure:
            # Whatever went wrong, the thread must live and those who wait must hear of it.
            _log.error("a batch could not be written: %s in %s", type(failure).__name__, place_of(failure))
            return [Outcome.UNAVAILABLE] * len(batch.items)
        else:
            self._tally.seconds.observe(time.monotonic_ns() - began)
            self._tally.items.observe(len(batch.items))
            return outcomes
        finally:
            self._began = None

    def _finish(self, batch: _Batch[Item], outcomes: Sequence[Outcome]) -> None:
        batch.outcomes = outcomes
        with self._lock:
            self._waiting -= len(batch.items)
            self._tally.waiting.add(-len(batch.items))
            more = bool(self._pending) or self._closed
            self._committing = more
        batch.done.set()
        if more:
            self._host.soon(self._go.release)

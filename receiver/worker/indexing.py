"""The task that keeps the index of messages: it follows the feed, a little at a time, out of every reply's way."""

import time
from collections.abc import Callable, Iterator
from functools import partial

from receiver.store import feed, search
from receiver.store.retrying import written
from receiver.store.store import Store

from .lease import Lease
from .task import Ran, Task, Wait

NAME = "search-index"
_LEASE = 60.0
# Seconds after which a run is due though there is nothing to do, so that people see that it does.
_AT_LEAST = 60.0
_LOOK_EVERY = 2.0
# Messages of the first transaction, and of any.
_FIRST, _FEWEST, _MOST = 50, 10, 1_000

Now = Callable[[], float]


class Pace:
    """How many messages a transaction takes so that it lasts ``shall_take`` seconds, and how long others have then."""

    def __init__(self, shall_take: float, *, shares: bool) -> None:
        self.size = _FIRST
        self._shall_take, self._shares = shall_take, shares

    @classmethod
    def of(cls, store: Store) -> "Pace":
        """SQLite has one writer: a reply waits for the transaction, and looks only now and then whether it has ended.

        Without a pause it could look in vain until it gives up, which was seen. PostgreSQL's readers of the feed wait.
        """
        is_sqlite = store.description.startswith("sqlite")
        return cls(0.01, shares=True) if is_sqlite else cls(0.1, shares=False)

    def rest_after(self, seconds: float) -> float:
        """Seconds to wait after a transaction that took so long; the size of the next is set by it as well."""
        fits = self.size * self._shall_take / max(seconds, 1e-6)
        self.size = int(max(_FEWEST, self.size / 2, min(fits, 2 * self.size, _MOST)))
        return max(seconds, self._shall_take) if self._shares else 0.0


def task(store: Store, *, now: Now = time.monotonic) -> Task:
    """The worker's task that keeps the index."""
    pace = Pace.of(store)

    def run(lease: Lease, wait: Wait) -> Ran:
        written(store, feed.realign)
        count = 0
        began = renewed = now()
        for indexed in _steps(store, pace):
            count += indexed
            if wait(pace.rest_after(now() - began)):
                break
            if now() - renewed > _LEASE / 4:
                lease.renew(_LEASE, well=True, detail=f"{_told(count)} so far")
                renewed = now()
            began = now()
        return Ran(_AT_LEAST, _told(count))

    def has_work() -> bool:
        with store.reading() as connection:
            return search.is_behind(connection)

    return Task(NAME, _LEASE, run, look_every=_LOOK_EVERY, has_work=has_work)


def _steps(store: Store, pace: Pace) -> Iterator[int]:
    """How many messages were indexed, after each transaction, until none waits and the index is tidy.

    Who waits comes first: what is not indexed yet is looked through by every question.
    """
    while True:
        size = pace.size
        indexed = written(store, partial(search.index, limit=size))
        if indexed:
            yield indexed
        if indexed == size:
            continue
        if not written(store, search.tidy):
            return
        yield 0


def _told(count: int) -> str:
    return f"{count:,} messages indexed" if count else "all messages are indexed"

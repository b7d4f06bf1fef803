"""A task that follows the feed of messages, a little at a time, out of every reply's way."""

import time
from collections.abc import Callable, Iterator

from receiver.store import feed
from receiver.store.retrying import written
from receiver.store.store import Store

from .lease import Lease
from .task import Ran, Task, Wait

_LEASE = 60.0
# Seconds after which a run is due though there is nothing to do, so that people see that it does.
_AT_LEAST = 60.0
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


def follower(
    store: Store,
    name: str,
    steps: Callable[[Pace], Iterator[int]],
    told: Callable[[int], str],
    has_work: Callable[[], bool],
    *,
    look_every: float,
    now: Now = time.monotonic,
) -> Task:
    """A task of this ``name``. ``steps`` says after each of its transactions how many messages that took, and ends
    where none waits; ``told`` is what people are told of so many.
    """
    pace = Pace.of(store)

    def run(lease: Lease, wait: Wait) -> Ran:
        written(store, feed.realign)
        count = 0
        began = renewed = now()
        for taken in steps(pace):
            count += taken
            if wait(pace.rest_after(now() - began)):
                break
            if now() - renewed > _LEASE / 4:
                lease.renew(_LEASE, well=True, detail=f"{told(count)} so far")
                renewed = now()
            began = now()
        return Ran(_AT_LEAST, told(count))

    return Task(name, _LEASE, run, look_every=look_every, has_work=has_work)

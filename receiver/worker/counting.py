"""The task that keeps the counts of messages for statistics."""

import time
from collections.abc import Iterator
from functools import partial

from receiver.store import counts
from receiver.store.retrying import written
from receiver.store.store import Store

from .following import Now, Pace, follower
from .task import Task

NAME = "counts"
# Seldom: whoever asks counts what is not counted yet, and on SQLite replies wait for each transaction.
_LOOK_EVERY = 10.0


def task(store: Store, *, now: Now = time.monotonic) -> Task:
    """The worker's task that keeps the counts."""

    def has_work() -> bool:
        with store.reading() as connection:
            return counts.is_behind(connection)

    return follower(store, NAME, partial(_steps, store), _told, has_work, look_every=_LOOK_EVERY, now=now)


def _steps(store: Store, pace: Pace) -> Iterator[int]:
    """How many messages were counted, after each transaction, until none waits."""
    while True:
        size = pace.size
        counted = written(store, partial(counts.count, limit=size))
        if counted:
            yield counted
        if counted < size:
            return


def _told(count: int) -> str:
    return f"{count:,} messages counted" if count else "all messages are counted"

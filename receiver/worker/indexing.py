"""The task that keeps the index of messages."""

import time
from collections.abc import Iterator
from functools import partial

from receiver.store import search
from receiver.store.retrying import written
from receiver.store.store import Store

from .following import Now, Pace, follower
from .task import Task

NAME = "search-index"
_LOOK_EVERY = 2.0


def task(store: Store, *, now: Now = time.monotonic) -> Task:
    """The worker's task that keeps the index."""

    def has_work() -> bool:
        with store.reading() as connection:
            return search.is_behind(connection)

    return follower(store, NAME, partial(_steps, store), _told, has_work, look_every=_LOOK_EVERY, now=now)


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

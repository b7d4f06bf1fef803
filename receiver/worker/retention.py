"""Retention: what is older than RETENTION_DAYS is purged, a few rows at a time, and what proves a stop stays.

Gone are replies with their readings and what search has of them, quarantined deliveries, refused sources, and sends
that are over, with their texts and recipients. What stays, however old: the register and the ledger, subscriptions, the
audit; the messages and quarantined deliveries that events of the ledger name, since their bytes are the evidence; and
sends of which something is queued or in doubt, until somebody settles it.
"""

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from receiver.store import removal, retention
from receiver.store.retrying import written
from receiver.store.store import Store

from .lease import LONGEST_REST, Lease
from .task import Ran, Task, Wait

NAME = "retention"
_LEASE = 60.0
# Rows that one transaction deletes: on SQLite replies wait for it, some 10 ms. Rows that are looked at before.
_AT_ONCE, _SEEN_AT_ONCE = 50, 500
# As long as a transaction took, the next one is waited with, so that others have the database as often as this.
_LEAST_PAUSE = 0.005
# What was seen and had to stay is not looked at again for so long; nor what came in behind with an old id.
_ANEW_AFTER = timedelta(days=1)
_FIRST = UUID(int=0)

Clock = Callable[[], datetime]


class Retention:
    """Purges one database. What each run has seen, the next one passes over, for a day."""

    def __init__(self, store: Store, keep: timedelta, clock: Clock = lambda: datetime.now(UTC)) -> None:
        self._store, self._keep, self._clock = store, keep, clock
        self._seen_to: dict[str, UUID] = {}
        self._began: datetime | None = None

    def purge(self) -> Generator[tuple[str, int], None, None]:
        """Purge what is too old now: after each transaction, of what, and how many rows were deleted.

        Raises StoreError; what was done until then stays done.
        """
        now = self._clock()
        if self._began is None or now - self._began >= _ANEW_AFTER or now < self._began:
            self._seen_to, self._began = {}, now
        before = now - self._keep
        yield from self._walk("messages", retention.old_messages, self._delete(retention.purge_messages), before)
        yield from self._walk(
            "quarantined", retention.old_quarantined, self._delete(retention.purge_quarantined), before
        )
        yield from self._walk("sends", retention.old_sends, self._delete_sends, before)
        with self._store.reading() as connection:
            is_due = retention.has_old_refusals(connection, before)
        if is_due:
            yield "refused sources", written(self._store, partial(retention.purge_refusals, before=before))

    def _walk(
        self,
        what: str,
        old: Callable[..., Sequence[tuple[UUID, bool]]],
        delete: Callable[[Sequence[UUID]], Iterator[int]],
        before: datetime,
    ) -> Iterator[tuple[str, int]]:
        while True:
            with self._store.reading() as connection:
                seen = old(connection, before, behind=self._seen_to.get(what, _FIRST), limit=_SEEN_AT_ONCE)
            for count in delete([each for each, stays in seen if not stays]):
                yield what, count
            if seen:
                self._seen_to[what] = seen[-1][0]
            if len(seen) < _SEEN_AT_ONCE:
                return

    def _delete(self, purge: Callable[..., int]) -> Callable[[Sequence[UUID]], Iterator[int]]:
        def delete(ids: Sequence[UUID]) -> Iterator[int]:
            for start in range(0, len(ids), _AT_ONCE):
                yield written(self._store, partial(purge, ids=ids[start : start + _AT_ONCE]))

        return delete

    def _delete_sends(self, ids: Sequence[UUID]) -> Iterator[int]:
        for send_id in ids:
            count = _AT_ONCE
            while count == _AT_ONCE:
                count = written(self._store, partial(removal.remove_recipients, send_id=send_id, limit=_AT_ONCE))
                yield int(count < _AT_ONCE)


def task(store: Store, days: int) -> Task:
    """The worker's task that keeps to RETENTION_DAYS."""
    kept = Retention(store, timedelta(days=days))

    def run(lease: Lease, wait: Wait) -> Ran:
        done: Counter[str] = Counter()
        began = renewed = time.monotonic()
        for what, count in kept.purge():
            done[what] += count
            now = time.monotonic()
            if now - renewed > _LEASE / 10:
                lease.renew(_LEASE, well=True, detail=f"{_told(done)} so far")
                renewed = now
            if wait(max(_LEAST_PAUSE, now - began)):
                break
            began = time.monotonic()
        return Ran(LONGEST_REST, _told(done) if done else f"nothing is older than {days} days but what proves stops")

    return Task(NAME, _LEASE, run)


def _told(done: Counter[str]) -> str:
    return "purged " + ", ".join(f"{count:,} {what}" for what, count in done.items())

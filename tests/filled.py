"""A database with things in it, put there as the receive path would."""

import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

from receiver.store.store import Store
from receiver.vocabulary import (
    Delivery,
    Origin,
    Quarantined,
    Reading,
    Reason,
    Reply,
    Undeliverable,
    earliest_id,
    new_id,
)
from receiver.vocabulary.parse import parse

WINDOW = timedelta(seconds=120)


class Filled:
    """A migrated database and a hand to put things into it."""

    def __init__(self, url: str) -> None:
        self.store = Store(url, pooled=False)
        self.store.ensure_current()

    def reply(self, query: bytes, *, at: datetime | None = None, origin: Origin = Origin.PUSH) -> UUID:
        said = parse(query, Reading())
        assert isinstance(said, Delivery)
        reply = Reply(id_at(at), at or datetime.now(UTC), origin, "203.81.21.34", said)
        self.store.record([reply], [], WINDOW)
        return reply.id

    def kept(
        self,
        query: bytes,
        *,
        reason: Reason | None = None,
        peer: str | None = "203.81.21.34",
        at: datetime | None = None,
    ) -> UUID:
        """Put a delivery into quarantine, for ``reason`` or for what is wrong with it."""
        if reason is not None:
            why: Delivery | Undeliverable = Undeliverable(reason, "kept by a test", query)
        else:
            why = parse(query, Reading())
        assert isinstance(why, Undeliverable)
        kept = Quarantined(id_at(at), at or datetime.now(UTC), peer, why)
        self.store.record([], [kept], WINDOW)
        return kept.id


def id_at(at: datetime | None) -> UUID:
    """An id as it would have been made then."""
    if at is None:
        return new_id()
    return UUID(int=earliest_id(at).int | secrets.randbits(60))

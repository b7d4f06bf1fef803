"""Replies and quarantined deliveries to store, and what a database holds after."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping, select

from receiver.store.store import Store
from receiver.store.tables import ledger, ledger_head
from receiver.vocabulary import Charset, Delivery, Kind, Origin, Quarantined, Reason, Reply, Undeliverable, new_id
from receiver.vocabulary.ledger import GENESIS, Event, EventType, chained, digest, skips_to


def delivery(text: str = "hello", src: str = "+8613900005001", dst: str = "10690001") -> Delivery:
    """What one request said; ``0000`` is an unsubscribe."""
    kind = Kind.UNSUBSCRIBE if text == "0000" else Kind.REPLY
    return Delivery(src, src, dst, text.encode(), text, Charset.UTF_8, True, kind)


def reply(text: str = "hello", src: str = "+8613900005001", dst: str = "10690001", at: datetime | None = None) -> Reply:
    return Reply(new_id(), at or datetime.now(UTC), Origin.PUSH, "203.81.21.34", delivery(text, src, dst))


def undeliverable(unsubscribes: str | None = None) -> Undeliverable:
    return Undeliverable(Reason.MISSING_DST, "there is no parameter dst", b"src=x&msg=\x00\xff", unsubscribes)


def quarantined(unsubscribes: str | None = None) -> Quarantined:
    return Quarantined(new_id(), datetime.now(UTC), "203.81.21.34", undeliverable(unsubscribes))


def rows(store: Store, table: Any) -> list[RowMapping]:
    """A table's rows in the order of its key."""
    with store.reading() as connection:
        return list(connection.execute(select(table).order_by(*table.primary_key.columns)).mappings())


def verified_ledger(store: Store) -> list[RowMapping]:
    """The ledger's rows, after every hash has been worked out anew."""
    events, hashes = rows(store, ledger), [GENESIS]
    for place, row in enumerate(events, 1):
        event = Event(EventType(row.type), row.at, row.actor, row.phone, row.message_id, row.raw_sha256, row.detail)
        expected = chained(hashes[-1], hashes[skips_to(place)], digest(place, event))
        assert (row.sequence, row.previous, row.hash) == (place, hashes[-1], expected)
        hashes.append(expected)
    previous = hashes[-1]
    (head,) = rows(store, ledger_head)
    assert (head.sequence, head.hash) == (len(events), previous)
    return events

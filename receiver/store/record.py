"""One batch of what came in, written with one statement per table, inside the caller's transaction.

The message row, the opt-out that it causes and their ledger events stand or fall together (guarantee 2).
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from hashlib import blake2b
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, text

from receiver.vocabulary import Delivery, Kind, Quarantined, Reply, Undeliverable, earliest_id

from . import pulled
from .optouts import Stop, opt_out
from .services import Filing
from .tables import messages, quarantine, utc_text
from .upsert import insert_or


def record(
    connection: Connection,
    replies: Sequence[Reply],
    quarantined: Sequence[Quarantined],
    duplicate_window: timedelta,
    filing: Filing | None = None,
) -> None:
    """Write replies and quarantined deliveries, honour their unsubscribes, flag duplicates.

    ``filing`` says which service a number belongs to, where the caller has it at hand.

    Idempotent: what is stored under an id already is left alone, and so is what was pulled before. Raises SQLAlchemy's
    errors (see ``store.failure``).
    """
    pulls = any(reply.gateway_id is not None for reply in replies)
    if pulls:
        replies = pulled.not_pulled_before(connection, replies)
    stops = _not_recorded(connection, [*_stops_of(replies), *_stops_of_quarantined(quarantined)])
    if replies:
        _insert_messages(connection, replies, duplicate_window, filing or Filing.load(connection))
        if pulls:
            pulled.complete(connection, [reply for reply in replies if reply.gateway_id is not None], duplicate_window)
    if quarantined:
        statement = insert_or(connection, quarantine).on_conflict_do_nothing(index_elements=["id"])
        connection.execute(statement, [_quarantine_row(delivery) for delivery in quarantined])
    if stops:
        opt_out(connection, stops)


def _not_recorded(connection: Connection, stops: list[Stop]) -> list[Stop]:
    """The stops whose message or quarantined delivery is not stored yet: those that are were honoured with it."""
    if not stops:
        return stops
    known: set[UUID | None] = set()
    for table, ids in (
        (messages, [stop.message_id for stop in stops if stop.message_id]),
        (quarantine, [stop.quarantine_id for stop in stops if stop.quarantine_id]),
    ):
        if ids:
            known.update(connection.scalars(select(table.c.id).where(table.c.id.in_(ids))))
    return [stop for stop in stops if stop.cause not in known]


def _insert_messages(
    connection: Connection, replies: Sequence[Reply], duplicate_window: timedelta, filing: Filing
) -> None:
    if connection.dialect.name == "sqlite":
        # One writer at a time (BEGIN IMMEDIATE), and each row sees those before it.
        connection.exec_driver_sql(_INSERT_SQLITE, [_sqlite_row(reply, duplicate_window, filing) for reply in replies])
        return
    # Two processes that store the same reply at once must see each other: the second waits here until the first has
    # committed. Locks are taken in one order by all, so that they can't deadlock; the statement that looks for
    # duplicates takes its snapshot after them.
    keys = sorted({_lock_key(reply.delivery) for reply in replies})
    connection.execute(_LOCK_POSTGRESQL, {"keys": json.dumps(keys)})
    first: dict[tuple[str, str, bytes], Reply] = {}
    rows = [_postgresql_row(reply, duplicate_window, filing, first) for reply in replies]
    connection.execute(_INSERT_POSTGRESQL, {"rows": json.dumps(rows, ensure_ascii=False)})


# Written by hand, with the driver's own types: SQLAlchemy's handling of each parameter was half the time of a batch.
# coalesce(dst, '') is an expression, so that no planner takes the index of dst and walks a whole service's recent
# replies (20 ms a batch instead of 2); for the same reason the order names src, which is constant.
_INSERT_SQLITE = """
INSERT INTO messages (
    id, received_at, origin, kind, src, src_wire, dst, raw, text, charset, charset_certain, peer, service, duplicate_of
) VALUES (
    ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?15,
    (
        SELECT earlier.id FROM messages AS earlier
        WHERE earlier.src = ?5 AND earlier.id >= ?13 AND earlier.id < ?14 AND earlier.id <> ?1
          AND coalesce(earlier.dst, '') = ?7
          AND (earlier.raw = ?8 OR earlier.origin = 'poll' AND earlier.text = ?9)
        ORDER BY earlier.src, earlier.id LIMIT 1
    )
) ON CONFLICT (id) DO NOTHING
"""

# One parameter, made by the JSON encoder in one call; raw bytes in it are hexadecimal.
_INSERT_POSTGRESQL = text("""
INSERT INTO messages (
    id, received_at, origin, kind, src, src_wire, dst, raw, text, charset, charset_certain, peer, service, duplicate_of
)
SELECT
    given.id, given.received_at, given.origin, given.kind, given.src, given.src_wire, given.dst, given.bytes,
    given.text, given.charset, given.charset_certain, given.peer, given.service,
    coalesce(
        (
            SELECT earlier.id FROM messages AS earlier
            WHERE earlier.src = given.src AND earlier.id >= given.since AND earlier.id < given.until
              AND earlier.id <> given.id AND coalesce(earlier.dst, '') = given.dst
              AND (earlier.raw = given.bytes OR earlier.origin = 'poll' AND earlier.text = given.text)
            ORDER BY earlier.src, earlier.id LIMIT 1
        ),
        given.in_batch
    )
FROM (
    SELECT *, decode(raw, 'hex') AS bytes
    FROM json_to_recordset(CAST(:rows AS json)) AS row (
        id uuid, received_at timestamptz, origin text, kind text, src text, src_wire text, dst text, raw text,
        text text, charset text, charset_certain boolean, peer text, service text, since uuid, until uuid, in_batch uuid
    )
) AS given
ON CONFLICT (id) DO NOTHING
""")

_LOCK_POSTGRESQL = text("""
SELECT pg_advisory_xact_lock(CAST(key AS bigint)) FROM json_array_elements_text(CAST(:keys AS json)) AS key
""")


def _sqlite_row(reply: Reply, duplicate_window: timedelta, filing: Filing) -> tuple[Any, ...]:
    delivery = reply.delivery
    return (
        reply.id.hex,
        utc_text(reply.received_at),
        reply.origin,
        delivery.kind,
        delivery.src,
        delivery.src_wire,
        delivery.dst,
        delivery.raw,
        delivery.text,
        delivery.charset,
        delivery.charset_certain,
        reply.peer,
        earliest_id(reply.received_at - duplicate_window).hex,
        _until(reply, duplicate_window).hex,
        filing.service_of(delivery.dst),
    )


def _postgresql_row(
    reply: Reply, duplicate_window: timedelta, filing: Filing, first: dict[tuple[str, str, bytes], Reply]
) -> dict[str, Any]:
    delivery = reply.delivery
    same = (delivery.src, delivery.dst, delivery.raw)
    earlier = first.setdefault(same, reply)
    if abs(reply.received_at - earlier.received_at) > duplicate_window:
        earlier = first[same] = reply
    return {
        "id": reply.id.hex,
        "received_at": reply.received_at.isoformat(),
        "origin": reply.origin,
        "kind": delivery.kind,
        "src": delivery.src,
        "src_wire": delivery.src_wire,
        "dst": delivery.dst,
        "raw": delivery.raw.hex(),
        "text": delivery.text,
        "charset": delivery.charset,
        "charset_certain": delivery.charset_certain,
        "peer": reply.peer,
        "service": filing.service_of(delivery.dst),
        "since": earliest_id(reply.received_at - duplicate_window).hex,
        "until": _until(reply, duplicate_window).hex,
        "in_batch": None if earlier is reply else earlier.id.hex,
    }


def _until(reply: Reply, duplicate_window: timedelta) -> UUID:
    # Its like may be stored already though received later: by another process, or while this one was in quarantine.
    # After a clock was set back its own id is ahead of its time.
    return max(reply.id, earliest_id(reply.received_at + duplicate_window))


def _lock_key(delivery: Delivery) -> int:
    digest = blake2b(digest_size=8)
    for part in (delivery.src.encode(), delivery.dst.encode(), delivery.text.encode()):
        digest.update(len(part).to_bytes(4))
        digest.update(part)
    return int.from_bytes(digest.digest(), signed=True)


def _quarantine_row(delivery: Quarantined) -> dict[str, Any]:
    why: Undeliverable = delivery.undeliverable
    return {
        "id": delivery.id,
        "received_at": delivery.received_at,
        "peer": delivery.peer,
        "reason": why.reason,
        "detail": why.detail,
        "raw": why.raw,
        "unsubscribes": why.unsubscribes,
    }


def _stops_of(replies: Sequence[Reply]) -> list[Stop]:
    return [
        Stop(reply.delivery.src, reply.received_at, raw=reply.delivery.raw, message_id=reply.id)
        for reply in replies
        if reply.delivery.kind is Kind.UNSUBSCRIBE
    ]


def _stops_of_quarantined(quarantined: Sequence[Quarantined]) -> list[Stop]:
    return [
        Stop(kept.undeliverable.unsubscribes, kept.received_at, raw=kept.undeliverable.raw, quarantine_id=kept.id)
        for kept in quarantined
        if kept.undeliverable.unsubscribes is not None
    ]

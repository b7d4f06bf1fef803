"""Statements for idempotency keys: the first request with one decides which send it stands for.

A key and what came with it are kept as hashes: programs put order numbers and phones into such keys.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, RowMapping, delete, select

from .tables import idempotency_keys
from .upsert import insert_or

KEPT_FOR = timedelta(hours=24)
_FORGOTTEN_AT_ONCE = 20


def look(connection: Connection, holder: UUID, key: str, *, now: datetime) -> RowMapping | None:
    """The request that came with this key, hashed, of this holder within a day; None where there is none."""
    wanted = select(idempotency_keys).where(
        idempotency_keys.c.key_id == holder,
        idempotency_keys.c.key == key,
        idempotency_keys.c.created_at >= now - KEPT_FOR,
    )
    return connection.execute(wanted).mappings().one_or_none()


def claim(
    connection: Connection, holder: UUID, key: str, *, request_sha256: str, send_id: UUID, now: datetime
) -> RowMapping:
    """Have the key stand for this request and send, unless it stands for others within a day: what it stands for.

    Of two at once the second waits here for the first one's transaction.
    """
    _forget_old(connection, now)
    row = {"key_id": holder, "key": key, "request_sha256": request_sha256, "send_id": send_id, "created_at": now}
    statement = insert_or(connection, idempotency_keys)
    is_over = idempotency_keys.c.created_at < now - KEPT_FOR
    anew = {name: statement.excluded[name] for name in ("request_sha256", "send_id", "created_at")}
    connection.execute(statement.on_conflict_do_update(index_elements=["key_id", "key"], set_=anew, where=is_over), row)
    stands = look(connection, holder, key, now=now)
    assert stands is not None
    return stands


def _forget_old(connection: Connection, now: datetime) -> None:
    """Forget some keys whose day is over: more than one for each new one, so that they never pile up."""
    table = idempotency_keys
    old = (
        select(table.c.key_id, table.c.key)
        .where(table.c.created_at < now - KEPT_FOR)
        .order_by(table.c.created_at, table.c.key)
        .limit(_FORGOTTEN_AT_ONCE)
    )
    rows = connection.execute(old).all()
    for row in rows:
        connection.execute(delete(table).where(table.c.key_id == row.key_id, table.c.key == row.key))

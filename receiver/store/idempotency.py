"""Statements for idempotency keys: the first request with one decides what it stands for."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, RowMapping, delete, select

from .tables import idempotency_keys
from .upsert import insert_or

KEPT_FOR = timedelta(hours=24)


def claim(
    connection: Connection, key_id: UUID, key: str, *, request_sha256: str, send_id: UUID, now: datetime
) -> RowMapping:
    """What ``key`` of this API key stands for: the request that came first, within a day. Of two at once one waits."""
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at < now - KEPT_FOR))
    row = {"key_id": key_id, "key": key, "request_sha256": request_sha256, "send_id": send_id, "created_at": now}
    connection.execute(insert_or(connection, idempotency_keys).on_conflict_do_nothing(), row)
    wanted = select(idempotency_keys).where(idempotency_keys.c.key_id == key_id, idempotency_keys.c.key == key)
    return connection.execute(wanted).mappings().one()

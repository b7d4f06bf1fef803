"""A conversation: what one subscriber wrote and was sent, in the order of their ids, which is that of time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection, RowMapping

from . import messages, sends


@dataclass(frozen=True, slots=True)
class Entry:
    """One SMS: a message that came in, or a send as far as it was to this subscriber."""

    id: UUID
    is_in: bool
    row: RowMapping = field(repr=False)


def page(
    connection: Connection,
    phone: str,
    *,
    older_than: UUID | None = None,
    newer_than: UUID | None = None,
    limit: int,
) -> Sequence[Entry]:
    """At most ``limit`` of a subscriber's, newest first: the newest, those behind ``older_than``, or right before
    ``newer_than``.
    """
    of_this = messages.Filter(src=phone)
    came = messages.page(connection, of_this, older_than=older_than, newer_than=newer_than, limit=limit)
    went = sends.to_phone(connection, phone, older_than=older_than, newer_than=newer_than, limit=limit)
    entries = [Entry(row["id"], True, row) for row in came] + [Entry(row["id"], False, row) for row in went]
    entries.sort(key=lambda entry: entry.id, reverse=True)
    return entries[-limit:] if newer_than is not None else entries[:limit]

"""Pages of a table that is ordered by one unique key: what is inserted or deleted meanwhile moves no page."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, RowMapping, Select


def newest_first(
    connection: Connection,
    statement: Select[Any],
    key: ColumnElement[Any],
    *,
    older_than: UUID | str | None = None,
    newer_than: UUID | str | None = None,
    limit: int,
) -> Sequence[RowMapping]:
    """At most ``limit`` rows of ``statement``, greatest key first: the first of all, or those next to a key.

    ``older_than`` gives the rows that follow it, ``newer_than`` those right before it.
    """
    if newer_than is not None:
        ahead = statement.where(key > newer_than).order_by(key).limit(limit)
        return list(connection.execute(ahead).mappings().all())[::-1]
    if older_than is not None:
        statement = statement.where(key < older_than)
    return connection.execute(statement.order_by(key.desc()).limit(limit)).mappings().all()

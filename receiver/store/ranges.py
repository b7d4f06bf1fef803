"""Conditions on when something was received, which its id tells within limits."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Table

from receiver.vocabulary import earliest_id

# An id is made when its row is received: no row is much younger than its id, nor older than the half day by which a
# clock that was set back leaves ids ahead of it (vocabulary.ids). So the primary key's index cuts off both ends.
SLACK = timedelta(days=1)


def received(table: Table, since: datetime | None, until: datetime | None) -> Iterator[ColumnElement[bool]]:
    """Rows received at or after ``since`` and before ``until``."""
    yield from at_between(table, table.c.received_at, since, until)


def at_between(
    table: Table, moment: ColumnElement[datetime], since: datetime | None, until: datetime | None
) -> Iterator[ColumnElement[bool]]:
    """Rows whose ``moment``, when their ids were made, is at or after ``since`` and before ``until``."""
    if since is not None:
        yield table.c.id >= earliest_id(since - SLACK)
        yield moment >= since
    if until is not None:
        yield table.c.id < earliest_id(until + SLACK)
        yield moment < until

"""Statements for how long pushed replies waited until they were acknowledged, by the hour."""

from collections.abc import Mapping

from sqlalchemy import Connection, case, func, select

from receiver.vocabulary.durations import Spread

from .tables import acknowledged
from .upsert import insert_or


def add(connection: Connection, hour: int, spreads: Mapping[int, Spread]) -> None:
    """Add what a process has measured within an hour, by step."""
    new = insert_or(connection, acknowledged)
    known, given = acknowledged.c, new.excluded
    statement = new.on_conflict_do_update(
        index_elements=["hour", "step"],
        set_={
            "count": known["count"] + given["count"],
            "longest": case((known.longest > given.longest, known.longest), else_=given.longest),
        },
    )
    # In one order by all processes, so that none waits for another that waits for it.
    rows = [
        {"hour": hour, "step": step, "count": spread.count, "longest": spread.longest}
        for step, spread in sorted(spreads.items())
    ]
    connection.execute(statement, rows)


def spreads(connection: Connection, low: int, high: int) -> Mapping[int, Spread]:
    """What was measured from one hour to another, both included, by step."""
    known = acknowledged.c
    statement = (
        select(known.step, func.sum(known["count"]), func.max(known.longest))
        .where(known.hour >= low, known.hour <= high)
        .group_by(known.step)
    )
    return {step: Spread(int(count), longest) for step, count, longest in connection.execute(statement)}

"""Whether the register is what the ledger says, field by field, and whether nobody who is in it gets anything."""

from collections.abc import Generator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select, text

from .tables import optouts, subscriptions


class Held(NamedTuple):
    """A phone's opt-out in the register, held against the event that put it in force.

    ``detail`` is what that event says, as JSON, against which ``source`` and ``reason`` have yet to be held; None
    where there is no such event.
    """

    phone: str
    in_register: bool
    same_since: bool | None
    same_actor: bool | None
    same_message: bool | None
    source: str | None
    reason: str | None
    detail: str | None


def doubtful(connection: Connection) -> Generator[Held, None, None]:
    """Phones on whom register and ledger differ, and those whose source and reason the database can't compare.

    Those hold what JSON can say and it has no text for: half a character, in the name of a file that was imported.
    """
    if connection.dialect.name == "sqlite":
        statement = _DOUBTFUL_SQLITE
    else:
        # The rows are fetched by a cursor, and of a cursor it is assumed that few of them will be: a plan that finds
        # the first ones soonest takes the longest for all.
        connection.execute(text("SET LOCAL cursor_tuple_fraction = 1"))
        statement = _DOUBTFUL_POSTGRESQL
    with connection.execute(statement, execution_options={"yield_per": 5_000}) as result:
        yield from map(Held._make, result)


def subscribed(connection: Connection, limit: int) -> Sequence[str]:
    """Phones that are opted out and have a subscription all the same."""
    statement = (
        select(optouts.c.phone)
        .join(subscriptions, subscriptions.c.phone == optouts.c.phone)
        .where(subscriptions.c.cancelled_at.is_(None))
        .distinct()
        .order_by(optouts.c.phone)
        .limit(limit)
    )
    return connection.scalars(statement).all()


_HELD = """
    optouts.phone IS NOT NULL AS in_register, optouts.since = in_force.at AS same_since,
    optouts.actor = in_force.actor AS same_actor,
    CASE WHEN optouts.message_id IS NULL AND in_force.message_id IS NULL THEN 1 = 1
        ELSE coalesce(optouts.message_id = in_force.message_id, 1 = 0) END AS same_message,
    optouts.source, optouts.reason, CAST(in_force.detail AS text) AS detail
"""

# CASE, so that a comparison with NULL is no agreement, and that what can't be read as JSON is not.
_AGREES = """
    CASE WHEN optouts.since = in_force.at AND optouts.actor = in_force.actor
        AND (optouts.message_id = in_force.message_id OR optouts.message_id IS NULL AND in_force.message_id IS NULL)
    THEN
        CASE WHEN optouts.source = 'sms' AND optouts.reason IS NULL
            AND CAST(in_force.detail AS text) = '{"source": "sms"}' THEN 1
        WHEN %(readable)s THEN
            CASE WHEN optouts.source = %(source)s
                AND (optouts.reason = %(reason)s OR optouts.reason IS NULL AND %(reason)s IS NULL)
            THEN 1 ELSE 0 END
        ELSE 0 END
    ELSE 0 END = 1
"""
_AGREES_SQLITE = _AGREES % {
    "readable": "json_valid(in_force.detail)",
    "source": "json_extract(in_force.detail, '$.source')",
    "reason": "json_extract(in_force.detail, '$.reason')",
}
_AGREES_POSTGRESQL = _AGREES % {
    "readable": r"CAST(in_force.detail AS text) !~* '\\u(d[89a-f]|0000)'",
    "source": "in_force.detail ->> 'source'",
    "reason": "in_force.detail ->> 'reason'",
}

# The last word on each phone, held against the register, either way round. The second way by the ledger's index: with
# the first part's result it would have to be kept, twice the time. A full join SQLite has since 3.39 only.
_DOUBTFUL_SQLITE = text(f"""
WITH last_word AS (
    SELECT phone, max(sequence) AS sequence FROM ledger WHERE type IN ('opted_out', 'lifted') GROUP BY phone
), in_force AS (
    SELECT ledger.phone, ledger.at, ledger.actor, ledger.message_id, ledger.detail
    FROM last_word CROSS JOIN ledger ON ledger.sequence = last_word.sequence WHERE ledger.type = 'opted_out'
)
SELECT in_force.phone AS phone, {_HELD}
FROM in_force LEFT JOIN optouts ON optouts.phone = in_force.phone WHERE NOT ({_AGREES_SQLITE})
UNION ALL
SELECT phone, 1, NULL, NULL, NULL, NULL, NULL, NULL FROM optouts
WHERE coalesce((
    SELECT type FROM ledger WHERE ledger.phone = optouts.phone AND type IN ('opted_out', 'lifted')
    ORDER BY sequence DESC LIMIT 1
), '') <> 'opted_out'
""")

# A full join is never planned as a walk through all of one table for each row of the other, whatever the planner
# believes of their sizes.
_DOUBTFUL_POSTGRESQL = text(f"""
WITH last_word AS (
    SELECT phone, max(sequence) AS sequence FROM ledger WHERE type IN ('opted_out', 'lifted') GROUP BY phone
), in_force AS (
    SELECT ledger.phone, ledger.at, ledger.actor, ledger.message_id, ledger.detail
    FROM ledger JOIN last_word ON last_word.sequence = ledger.sequence WHERE ledger.type = 'opted_out'
)
SELECT coalesce(in_force.phone, optouts.phone) AS phone, {_HELD}
FROM in_force FULL JOIN optouts ON optouts.phone = in_force.phone WHERE NOT ({_AGREES_POSTGRESQL})
""")

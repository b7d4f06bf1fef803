"""The ledger's statements: one writer, under the lock of the chain's head, and readers of all or of one phone's."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, RowMapping, func, insert, select, text, update

from receiver.vocabulary.ledger import GENESIS, Event, chained, digest, skips_to

from .tables import ledger, ledger_head


class Chain:
    """The ledger, locked for one transaction: whoever else wants to append waits until that ends."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        head = connection.execute(select(ledger_head.c.sequence, ledger_head.c.hash).with_for_update()).one()
        self._sequence: int = head.sequence
        self._hash: str = head.hash

    def append(self, events: Iterable[Event]) -> None:
        """Append ``events`` in their order."""
        new = list(events)
        if not new:
            return
        hashes = _skipped(self._connection, self._sequence, len(new)) | {0: GENESIS, self._sequence: self._hash}
        rows = []
        for sequence, event in enumerate(new, start=self._sequence + 1):
            previous = hashes[sequence - 1]
            hashes[sequence] = chained(previous, hashes[skips_to(sequence)], digest(sequence, event))
            rows.append(
                {
                    "sequence": sequence,
                    "at": event.at,
                    "type": event.type,
                    "actor": event.actor,
                    "phone": event.phone,
                    "message_id": event.message_id,
                    "raw_sha256": event.raw_sha256,
                    "detail": event.detail,
                    "previous": previous,
                    "hash": hashes[sequence],
                }
            )
        self._connection.execute(insert(ledger), rows)
        self._sequence += len(new)
        self._hash = hashes[self._sequence]
        self._connection.execute(update(ledger_head).values(sequence=self._sequence, hash=self._hash))


def _skipped(connection: Connection, head: int, count: int) -> dict[int, str]:
    """The hashes of the stored events that the next ``count`` ones skip to."""
    wanted = {skips_to(sequence) for sequence in range(head + 1, head + 1 + count)}
    stored = [sequence for sequence in wanted if 0 < sequence <= head]
    found = connection.execute(select(ledger.c.sequence, ledger.c.hash).where(ledger.c.sequence.in_(stored)))
    return {row.sequence: row.hash for row in found}


def head(connection: Connection) -> tuple[int, str]:
    """The last event's number and hash, as the head's row says."""
    row = connection.execute(select(ledger_head.c.sequence, ledger_head.c.hash)).one()
    return row.sequence, row.hash


def count(connection: Connection) -> int:
    """How many events there are."""
    return connection.scalar(select(func.count()).select_from(ledger)) or 0


def stream(connection: Connection) -> Iterator[Mapping[str, Any]]:
    """Every event in its order, in as little memory for a million as for one."""
    statement = select(ledger).order_by(ledger.c.sequence)
    with connection.execute(statement, execution_options={"yield_per": 5_000}) as result:
        yield from cast(Iterable[Mapping[str, Any]], result.mappings())


def of_phone(connection: Connection, phone: str) -> Sequence[RowMapping]:
    """One phone's events in their order."""
    return (
        connection.execute(select(ledger).where(ledger.c.phone == phone).order_by(ledger.c.sequence)).mappings().all()
    )


def at(connection: Connection, sequences: Iterable[int]) -> dict[int, RowMapping]:
    """The events with these numbers, by number."""
    statement = select(ledger).where(ledger.c.sequence.in_(list(sequences)))
    return {row["sequence"]: row for row in connection.execute(statement).mappings()}


def disagreements(connection: Connection, limit: int) -> Sequence[tuple[str, bool]]:
    """Phones for which the register is not what the ledger says: the phone, and whether the ledger has it opted out."""
    return [(row.phone, row.by_ledger) for row in connection.execute(_DISAGREEMENTS, {"limit": limit})]


# The last word on each phone, held against the register, either way round.
_DISAGREEMENTS = text("""
WITH last_word AS (
    SELECT phone, max(sequence) AS sequence FROM ledger WHERE type IN ('opted_out', 'lifted') GROUP BY phone
), by_ledger AS (
    SELECT ledger.phone FROM ledger JOIN last_word ON last_word.sequence = ledger.sequence
    WHERE ledger.type = 'opted_out'
)
SELECT phone, CAST(1 AS boolean) AS by_ledger FROM by_ledger
WHERE phone NOT IN (SELECT phone FROM optouts)
UNION ALL
SELECT phone, CAST(0 AS boolean) AS by_ledger FROM optouts
WHERE phone NOT IN (SELECT phone FROM by_ledger)
ORDER BY phone LIMIT :limit
""")

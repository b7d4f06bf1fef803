"""The ledger's one writer: events get their place and their hash under the lock of the chain's head."""

from collections.abc import Iterable

from sqlalchemy import Connection, insert, select, update

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

"""The ledger's one writer: events get their place and their hash under the lock of the chain's head."""

from collections.abc import Iterable

from sqlalchemy import Connection, insert, select, update

from receiver.vocabulary.ledger import Event, chained

from .tables import ledger, ledger_head


def append(connection: Connection, events: Iterable[Event]) -> None:
    """Append ``events`` in their order, in the caller's transaction.

    The head's row is locked until that transaction ends: call it last, so that others wait for little.
    """
    head = connection.execute(select(ledger_head.c.sequence, ledger_head.c.hash).with_for_update()).one()
    sequence, previous = head.sequence, head.hash
    rows = []
    for event in events:
        sequence += 1
        digest = chained(previous, sequence, event)
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
                "hash": digest,
            }
        )
        previous = digest
    if rows:
        connection.execute(insert(ledger), rows)
        connection.execute(update(ledger_head).values(sequence=sequence, hash=previous))

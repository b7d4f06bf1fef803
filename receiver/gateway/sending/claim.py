"""A batch taken for one call, with the guard asked once more in the same transaction: fail closed."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from receiver.optout import guard
from receiver.store import send_batches
from receiver.store.ledger import Chain
from receiver.store.send_batches import Claimed
from receiver.store.sends import Transaction

from .enqueue import note_blocked
from .request import Stopped, reason_of

_UNKNOWN = "not sent: the guard does not know this as a phone number"


def claimed(
    connection: Transaction, *, moment: datetime, lease: timedelta, region: str, send_id: UUID | None
) -> Claimed | None:
    """The next batch that is due, of one send or of all, without whom the guard does not allow now.

    None where nothing is due. A batch of which nobody is left is answered by this, and has no phones.
    """
    batch = send_batches.claim(connection, claim=uuid4(), now=moment, lease_until=moment + lease, send_id=send_id)
    if batch is None:
        return None
    # From here to the commit no stop can come in force: whoever records one waits for this lock. So each stop is
    # either seen here, or answered after the call was begun.
    chain = Chain(connection)
    forms = {form: identity for identity, came in batch.phones for form in (came, identity)}
    verdict = guard.asked(connection, forms, region)
    stopped = {forms[each.written]: Stopped(each.identity, reason_of(each)) for each in verdict.blocked}
    note_blocked(connection, stopped.values(), send_id=batch.send_id, actor=batch.actor, at=moment, chain=chain)
    allowed = {identity for _, identity in verdict.allowed} - stopped.keys()
    # Who is neither is no phone to us any more: only whom the guard allows is texted.
    reasons = dict.fromkeys((identity for identity, _ in batch.phones if identity not in allowed), _UNKNOWN)
    left = send_batches.block(connection, batch, reasons | {phone: each.reason for phone, each in stopped.items()})
    if not left.phones:
        send_batches.answered(connection, left, [], now=moment, detail="nobody was left to send to")
    return left

"""The pages of the opt-out register, and whom an address of theirs means.

No address holds a phone: a subscriber's has the number of an event that the ledger has of them.
"""

from collections.abc import Mapping
from typing import Any

from flask import abort

from receiver.store import ledger
from receiver.store.sends import Transaction

from ...parts import parts
from ..routes import Pages

pages = Pages("optouts")

# What the database takes for an event's number.
_LAST = 2**63 - 1


def event_number(written: str) -> int:
    """The number of an event. Raises ValueError."""
    number = int(written)
    if not 0 < number <= _LAST:
        raise ValueError(f"{number} is no event's")
    return number


def event_at(transaction: Transaction, number: int) -> Mapping[Any, Any] | None:
    """An event of somebody's; None where there is none."""
    found = ledger.at(transaction, [number]).get(number) if 0 < number <= _LAST else None
    return found if found is not None and found["phone"] is not None else None


def subscriber(event: int) -> str:
    """The phone, as the register has it, of whom an address means; it ends with 404 where that is nobody."""
    with parts().store.reading() as transaction:
        found = event_at(transaction, event)
    if found is None:
        abort(404)
    phone: str = found["phone"]
    return phone

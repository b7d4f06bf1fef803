"""What a person decides about a send: that what is in doubt was sent or not, and that what is queued is not to be."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from uuid import UUID

from receiver.store import send_endings, sends
from receiver.store.audit_log import Note
from receiver.store.sends import State, Transaction
from receiver.store.store import Store
from receiver.vocabulary import phone_identity

from .request import shown
from .retrying import written
from .rules import Clock, Inadmissible, now

# What is noted of so many people's being settled or cancelled, where there are any.
Noted = Callable[[int], Note]


class Found(StrEnum):
    """What somebody found out about a text in doubt."""

    SENT = "sent"
    NOT_SENT = "not-sent"


class NoSuchSend(Exception):
    """No send has this id."""


def settle(
    store: Store,
    send_id: UUID,
    found: Found,
    *,
    phones: Iterable[str] | None,
    region: str,
    actor: str,
    reason: str,
    clock: Clock = now,
    noted: Noted | None = None,
) -> int:
    """Note that recipients in doubt, all of the send's or ``phones`` (written in any way), were texted or were not.

    Nothing is sent by it. How many were settled; ``noted`` is written with that. Raises NoSuchSend, Inadmissible,
    StoreError.
    """
    state = State.ACCEPTED if found is Found.SENT else State.REFUSED
    wanted = None if phones is None else [_identity(phone, region) for phone in phones]
    values = {
        "state": state,
        "detail": f"settled by hand as {found}",
        "settled_at": clock(),
        "settled_by": actor,
        "settled_reason": reason,
    }
    _require(store, send_id)
    return _with_note(store, lambda connection: send_endings.settle(connection, send_id, wanted, values), noted)


def cancel(
    store: Store, send_id: UUID, *, actor: str, reason: str, clock: Clock = now, noted: Noted | None = None
) -> int:
    """Take off the queue what is not yet with the gateway; how many people. ``noted`` is written with that.

    Raises NoSuchSend, StoreError.
    """
    _require(store, send_id)
    return _with_note(
        store,
        lambda connection: send_endings.cancel(connection, send_id, actor=actor, reason=reason, now=clock()),
        noted,
    )


def _with_note(store: Store, change: Callable[[Transaction], int], noted: Noted | None) -> int:
    def change_and_note(connection: Transaction) -> int:
        people = change(connection)
        if people and noted is not None:
            noted(people).note(connection)
        return people

    return written(store, change_and_note)


def _require(store: Store, send_id: UUID) -> None:
    with store.reading() as connection:
        if sends.get(connection, send_id) is None:
            raise NoSuchSend(f'no send has the id {send_id}: see "receiver gateway sends list"')


def _identity(phone: str, region: str) -> str:
    identity = phone_identity(phone, region)
    if identity is None:
        raise Inadmissible(f"{shown(phone)} is no phone number: write it like 13912345678 or +8613912345678")
    return identity

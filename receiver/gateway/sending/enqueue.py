"""From a request to a stored send: nobody who said stop is queued, and each of those is an event in the ledger."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from receiver.optout import guard
from receiver.store import sends
from receiver.store.ledger import Chain
from receiver.store.sends import State, Transaction
from receiver.store.store import Store
from receiver.vocabulary import as_it_came, new_id
from receiver.vocabulary.ledger import Event, EventType

from .recipients import Recipient
from .request import Plan, SendRequest, Stopped, planned, without_blocked
from .retrying import written
from .rules import Clock, Inadmissible, now

# How long before its time a held send goes to the gateway: the guard's last question is then.
HELD_UNTIL = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Enqueued:
    """A send that is stored, and what it comes to: ``plan.allowed`` are queued, ``plan.blocked`` never will be."""

    send_id: UUID
    plan: Plan


class Sending:
    """The way in to everything that is sent. ``region`` is whose numbers come without a country code,
    ``charset`` what the gateway writes in.
    """

    def __init__(self, store: Store, region: str = "CN", *, charset: str = "gb18030", clock: Clock = now) -> None:
        self._store, self._region, self._charset, self._clock = store, region, charset, clock

    def plan(self, request: SendRequest) -> Plan:
        """What would be sent, with nothing stored: no send, no event, since nobody's send was stopped.

        Raises Inadmissible, StoreError.
        """
        plan = planned(request, region=self._region, charset=self._charset, now=self._clock())
        with self._store.reading() as connection:
            return self._guarded(connection, plan)

    def enqueue(self, request: SendRequest, actor: str) -> Enqueued:
        """Store the send with its batches and all its recipients, in one transaction.

        Who is blocked is stored as that, with a ledger event. Raises Inadmissible, StoreError: nothing is stored then.
        """
        actor = actor.strip()
        if not actor:
            raise Inadmissible("say who sends: the ledger keeps it where somebody is blocked")
        moment = self._clock()
        plan = planned(request, region=self._region, charset=self._charset, now=moment)

        def store(connection: Transaction) -> Enqueued:
            # No lock on the ledger while everything is written: that orders claims, and each claim asks again.
            guarded = self._guarded(connection, plan)
            send_id = new_id()
            send: dict[str, Any] = {
                "id": send_id,
                "created_at": moment,
                "actor": actor,
                "text": request.text,
                "sender": request.sender,
                "at": guarded.at,
                "is_held": request.hold,
                "is_long": request.long,
            }
            batches = guarded.batches
            rows = [
                {**_row(person), "batch": number, "state": State.QUEUED, "detail": None}
                for number, batch in enumerate(batches, 1)
                for person in batch
            ]
            rows += [
                {**_row(person), "batch": None, "state": State.BLOCKED, "detail": stopped.reason}
                for person, stopped in guarded.blocked
            ]
            not_before = moment if guarded.at is None or not request.hold else max(moment, guarded.at - HELD_UNTIL)
            sends.add(connection, send, rows, batches=len(batches), not_before=not_before)
            events = [stopped for _, stopped in guarded.blocked]
            note_blocked(connection, events, send_id=send_id, actor=actor, at=moment)
            return Enqueued(send_id, guarded)

        return written(self._store, store)

    def _guarded(self, connection: Transaction, plan: Plan) -> Plan:
        asked = [*plan.recipients.forms, *(person.identity for person in plan.recipients.people)]
        return without_blocked(plan, guard.asked(connection, asked, self._region))


def note_blocked(
    connection: Transaction,
    stopped: Collection[Stopped],
    *,
    send_id: UUID,
    actor: str,
    at: datetime,
    chain: Chain | None = None,
) -> None:
    """One event in the ledger for each person who was kept from being texted."""
    if not stopped:
        return
    (chain or Chain(connection)).append(
        Event(EventType.SEND_BLOCKED, at, actor, each.registered, detail={"send": str(send_id)}) for each in stopped
    )


def _row(person: Recipient) -> dict[str, Any]:
    return {"phone": person.identity, "written": as_it_came(person.written)}

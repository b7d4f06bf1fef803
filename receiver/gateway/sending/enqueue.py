"""From a request to a stored send: nobody who said stop is queued, and each of those is an event in the ledger."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from receiver import tally
from receiver.optout import guard
from receiver.store import sends
from receiver.store.audit_log import Note
from receiver.store.errors import Refused, StoreError
from receiver.store.ledger import Chain
from receiver.store.sends import State, Transaction
from receiver.store.store import Store
from receiver.vocabulary import as_it_came, new_id
from receiver.vocabulary.ledger import Event, EventType

from .recipients import Recipient
from .request import Plan, SendRequest, Stopped, planned, without_blocked
from .retrying import written
from .rules import Clock, Inadmissible, Rule, now

# How long before its time a held send goes to the gateway: the guard's last question is then.
HELD_UNTIL = timedelta(minutes=5)
# How long to ask a database that was lost amid the commit whether the send is stored.
_FIND_OUT_WITHIN, _FIND_OUT_EVERY = timedelta(seconds=15), timedelta(seconds=0.5)


class Unknown(StoreError):
    """Whether a send is stored is not known: it may be, and then a worker sends it. Never to be repeated blindly."""

    def __init__(self, send_id: UUID) -> None:
        super().__init__(
            f"the database was lost while it stored the send {send_id}: it may be queued, and a worker sends it then. "
            f'Before you send again, look when the database is back: "receiver gateway sends show {send_id}"'
        )
        self.send_id = send_id


@dataclass(frozen=True, slots=True)
class Enqueued:
    """A send that is stored, and what it comes to: ``plan.allowed`` are queued, ``plan.blocked`` never will be."""

    send_id: UUID
    plan: Plan


class Sending:
    """The way in to everything that is sent. ``region`` is whose numbers come without a country code,
    ``charset`` what the gateway writes in.
    """

    def __init__(
        self,
        store: Store,
        region: str = "CN",
        *,
        charset: str = "gb18030",
        clock: Clock = now,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store, self._region, self._charset, self._clock = store, region, charset, clock
        self._monotonic, self._sleep = monotonic, sleep

    def plan(self, request: SendRequest, *, send_id: UUID | None = None) -> Plan:
        """What would be sent, with nothing stored: no send, no event, since nobody's send was stopped.

        Of a send that is stored under ``send_id`` its time may be past. Raises Inadmissible, StoreError.
        """
        plan = self._planned(request, send_id, self._clock())
        with self._store.reading() as connection:
            return self._guarded(connection, plan)

    def enqueue(
        self,
        request: SendRequest,
        actor: str,
        *,
        send_id: UUID | None = None,
        told: Callable[[UUID], None] = lambda _send_id: None,
        noted: Callable[[Enqueued], Note] | None = None,
    ) -> Enqueued:
        """Store the send with its batches and all its recipients, in one transaction.

        Who is blocked is stored as that, with a ledger event. The same ``send_id`` (a UUIDv7: sends are listed by it)
        again, with the same text to the same phones, is the same send: it is stored once however often this is called,
        and though its time is past by then. ``told`` gets the id before anything is stored; ``noted`` is written with
        what is.

        Raises Inadmissible, StoreError: nothing is stored then. Raises Unknown where the database was lost amid the
        commit, and did not come back in time to say whether it is.
        """
        actor = actor.strip()
        if not actor:
            raise Inadmissible("say who sends: the ledger keeps it where somebody is blocked")
        moment = self._clock()
        plan = self._planned(request, send_id, moment)
        send_id = send_id or new_id()
        told(send_id)
        gives_up: float | None = None
        was_written = False

        def once(connection: Transaction) -> Enqueued:
            nonlocal was_written
            was_stored = sends.get(connection, send_id)
            if was_stored is not None:
                return self._stored(connection, was_stored, request, plan)
            enqueued = self._store_send(connection, send_id, request, actor, plan, moment)
            if noted is not None:
                noted(enqueued).note(connection)
            was_written = True
            return enqueued

        while True:
            try:
                return written(self._store, once)
            except StoreError as failure:
                if was_written:
                    # All was written once, and the commit's answer was lost: it holds or not. The same again under the
                    # same id waits for it where it is under way, finds it where it holds, makes it where it does not.
                    gives_up = gives_up or self._monotonic() + _FIND_OUT_WITHIN.total_seconds()
                    if self._monotonic() >= gives_up:
                        raise Unknown(send_id) from failure
                    self._sleep(_FIND_OUT_EVERY.total_seconds())
                elif not (isinstance(failure, Refused) and self._asked_at(send_id)):
                    raise
                # Else somebody stored the same at this moment, and was in the way before it could be seen.

    def _planned(self, request: SendRequest, send_id: UUID | None, moment: datetime) -> Plan:
        asked_at = moment if send_id is None else self._asked_at(send_id) or moment
        return planned(request, region=self._region, charset=self._charset, now=asked_at)

    def _asked_at(self, send_id: UUID) -> datetime | None:
        """When the send with this id was asked for; None where there is none."""
        with self._store.reading() as connection:
            found = sends.get(connection, send_id)
        return None if found is None else found["created_at"]

    def _stored(self, connection: Transaction, row: Any, request: SendRequest, plan: Plan) -> Enqueued:
        """The send that is stored already. Raises Inadmissible where it is another one."""
        at = (row["text"], row["sender"], row["at"], row["is_held"], row["is_long"])
        people = {recipient.identity: recipient for recipient in plan.recipients.people}
        states = sends.states(connection, row["id"])
        if at != (request.text, request.sender, plan.at, request.hold, request.long) or states.keys() != people.keys():
            raise Inadmissible(f"the id {row['id']} belongs to another send: nothing was stored", Rule.OTHER_SEND)
        blocked = tuple(
            (people[phone], Stopped(phone, detail or "")) for phone, (batch, detail) in states.items() if batch is None
        )
        stopped = {person.identity for person, _ in blocked}
        allowed = tuple(person for person in plan.recipients.people if person.identity not in stopped)
        return Enqueued(row["id"], replace(plan, allowed=allowed, blocked=blocked))

    def _store_send(
        self, connection: Transaction, send_id: UUID, request: SendRequest, actor: str, plan: Plan, moment: datetime
    ) -> Enqueued:
        # No lock on the ledger while everything is written: that orders claims, and each claim asks again.
        guarded = self._guarded(connection, plan)
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
    tally.SENT.of("blocked").add(len(stopped))
    (chain or Chain(connection)).append(
        Event(EventType.SEND_BLOCKED, at, actor, each.registered, detail={"send": str(send_id)}) for each in stopped
    )


def _row(person: Recipient) -> dict[str, Any]:
    return {"phone": person.identity, "written": as_it_came(person.written)}

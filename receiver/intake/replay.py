"""Quarantine replay: a delivery is read again under present settings, and stored as the reply that it always was."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from receiver.store import messages, quarantine
from receiver.store.audit_log import Note
from receiver.store.errors import Conflict, Refused, Unavailable
from receiver.store.record import record
from receiver.store.store import Store
from receiver.vocabulary import Kind, Reply, Undeliverable

_ATTEMPTS = 5

# What a kept row says today: the reply, under the row's id and with its time, or why it still is none.
Read = Callable[[Mapping[str, Any]], Reply | Undeliverable]


class Status(StrEnum):
    REPLAYED = "replayed"
    LEFT = "left"
    """It can't be accepted now either, and is in quarantine as before."""
    ALREADY = "already replayed"
    UNKNOWN = "not found"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one delivery; ``detail`` says why where it was not replayed."""

    id: UUID
    status: Status
    kind: Kind | None = None
    duplicate_of: UUID | None = None
    detail: str | None = None


class Replay:
    """Replays deliveries one by one, each in a transaction of its own. ``read`` is how a delivery is read today."""

    def __init__(self, store: Store, read: Read, duplicate_window: timedelta) -> None:
        self._store = store
        self._read = read
        self._duplicate_window = duplicate_window

    def one(self, quarantine_id: UUID, *, note: Note | None = None) -> Result:
        """Replay a delivery, by whatever number of callers at once; who does it is noted with what is stored.

        Raises Unavailable.
        """
        with self._store.reading() as connection:
            kept = quarantine.get(connection, quarantine_id)
        if kept is None:
            return Result(quarantine_id, Status.UNKNOWN, detail="nothing in quarantine has this id")
        if kept["replayed_at"] is not None:
            return _already(quarantine_id)
        # Under the delivery's own id, which is of the moment when it was received: it takes its place among the
        # messages, is compared with those of its time, and could not be stored twice.
        said = self._read(dict(kept))
        if isinstance(said, Undeliverable):
            return Result(quarantine_id, Status.LEFT, detail=f"{said.reason}: {said.detail}")
        return self._store_reply(said, note)

    def _store_reply(self, reply: Reply, note: Note | None) -> Result:
        attempt = 1
        while True:
            try:
                return self._claim_and_record(reply, note)
            except Conflict as conflict:
                if attempt == _ATTEMPTS:
                    raise Unavailable(f"{_ATTEMPTS} attempts met other writers: {conflict}") from conflict
                attempt += 1
            except Refused as refused:
                cause = str(refused).partition(":")[0]
                return Result(reply.id, Status.LEFT, detail=f"the database refused it: {cause}")

    def _claim_and_record(self, reply: Reply, note: Note | None) -> Result:
        with self._store.writing() as connection:
            now = datetime.now(UTC)
            if not quarantine.claim(connection, reply.id, replayed_at=now, message_id=reply.id):
                return _already(reply.id)
            record(connection, [reply], [], self._duplicate_window)
            if note is not None:
                note.note(connection)
            stored = messages.get(connection, reply.id)
        duplicate_of = None if stored is None else stored["duplicate_of"]
        return Result(reply.id, Status.REPLAYED, reply.delivery.kind, duplicate_of)


def _already(quarantine_id: UUID) -> Result:
    return Result(quarantine_id, Status.ALREADY, detail="it is among the messages: see messages show")

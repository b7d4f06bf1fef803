"""Sessions of the console: a random cookie, kept as its hash, that ends by itself, by a click, or everywhere."""

import hmac
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from receiver.store import people as rows
from receiver.store.errors import Unavailable
from receiver.store.store import Store
from receiver.vocabulary import new_id

from .person import Person, person_of

_log = logging.getLogger(__name__)

# Unused for so long, or begun so long ago, it has ended.
IDLE_FOR, LASTS_FOR = timedelta(hours=12), timedelta(days=14)
# How exactly it is known when it was last used: no page waits for a write at each click.
_SEEN_EVERY = timedelta(minutes=2)
# Seconds that a page waits for that write.
_SEEN_WAITS = 0.5
_LONGEST_AGENT = 200


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is logged in, on one device."""

    id: UUID
    person: Person
    created_at: datetime
    last_seen_at: datetime
    peer: str | None
    agent: str | None
    csrf: str = field(repr=False, default="")


class Sessions:
    """The sessions of one database."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store, self._clock = store, clock

    def begin(self, person: Person, *, peer: str | None, agent: str | None) -> str:
        """A new session's cookie. Raises StoreError."""
        token, now = secrets.token_urlsafe(32), self._clock()
        row = {
            "id": new_id(),
            "person_id": person.id,
            "token_hash": _hash(token),
            "created_at": now,
            "last_seen_at": now,
            "peer": peer,
            "agent": (agent or "")[:_LONGEST_AGENT] or None,
        }
        with self._store.writing() as transaction:
            rows.end_old_sessions(transaction, idle_since=now - IDLE_FOR, begun=now - LASTS_FOR)
            rows.add_session(transaction, row)
        return token

    def of(self, token: str) -> Session | None:
        """The session with this cookie; None where it has ended. Raises StoreError."""
        now = self._clock()
        with self._store.reading() as transaction:
            row = rows.session(transaction, _hash(token))
        if row is None or row["disabled_at"] is not None:
            return None
        if now - row["last_seen_at"] > IDLE_FOR or now - row["session_created_at"] > LASTS_FOR:
            return None
        if now - row["last_seen_at"] > _SEEN_EVERY:
            self._note_seen(row["session_id"], now)
        return _session(row, csrf=hmac.new(token.encode(), b"csrf", sha256).hexdigest())

    def _note_seen(self, session_id: UUID, now: datetime) -> None:
        try:
            with self._store.writing(_SEEN_WAITS) as transaction:
                rows.seen(transaction, session_id, now)
        except Unavailable as failure:
            # Whoever looks what is wrong with the database must be let in.
            _log.info("when a session was last used is not noted: %s", failure)

    def of_person(self, person: Person) -> Sequence[Session]:
        """Where somebody is logged in, last used first. Raises StoreError."""
        oldest = self._clock() - IDLE_FOR
        with self._store.reading() as transaction:
            return [_session(row) for row in rows.sessions_of(transaction, person.id) if row["last_seen_at"] > oldest]

    def end(self, person: Person, session_id: UUID | None = None, *, but: UUID | None = None) -> None:
        """End one session of somebody's, or all, or all ``but`` one. Raises StoreError."""
        with self._store.writing() as transaction:
            rows.end_sessions(transaction, person.id, session_id, but=but)


def _hash(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _session(row: Any, csrf: str = "") -> Session:
    return Session(
        row["session_id"],
        person_of(row),
        row["session_created_at"],
        row["last_seen_at"],
        row["peer"],
        row["agent"],
        csrf,
    )

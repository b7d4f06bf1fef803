"""Erasure: what one subscriber wrote is taken out of the database on request, and what proves a refusal stays.

Gone are the texts in every form: replies with their bytes, readings and what search has of them, quarantined
deliveries, and the phone among the recipients of sends, with the texts that went to it alone. What stays is what the
enterprise must be able to show, or to keep to: the opt-out, so that nothing is sent; the ledger's events, with the
SHA-256 of the bytes of each stop, when it came, and this erasure; subscriptions; and the audit. A proof of the opt-outs
holds as before, and says that the messages themselves are no longer stored.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from receiver.store import erasure
from receiver.store.audit_log import Note
from receiver.store.errors import StoreError
from receiver.store.ledger import Chain
from receiver.store.retrying import written
from receiver.store.sends import Transaction
from receiver.store.store import Store
from receiver.vocabulary import as_it_came, phone_identity
from receiver.vocabulary.identity import phones_in
from receiver.vocabulary.ledger import Event, EventType
from receiver.vocabulary.wire import read_text, values_in, visible

from .register import RegisterError, explained

_log = logging.getLogger(__name__)

_SEEN_AT_ONCE = 200
# How often SQLite's log is tried to be emptied, while others use the database, and seconds between.
_ATTEMPTS, _WAIT = 20, 0.1
_FIRST = UUID(int=0)


class NothingStored(RegisterError):
    """There is nothing of this subscriber that could be erased."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased of whom. ``open`` is what stays until it is over: sends that are queued, under way or in doubt.

    Without ``log_emptied`` SQLite's write-ahead log may still hold copies, until a worker empties it.
    """

    phone: str = field(repr=False)
    messages: int
    quarantined: int
    recipients: int
    open: int
    log_emptied: bool = False

    @property
    def anything(self) -> bool:
        return bool(self.messages or self.quarantined or self.recipients)


def erase(
    store: Store,
    phone: str,
    *,
    region: str,
    reason: str,
    actor: str,
    note: Note | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Erased:
    """Erase what is stored of a subscriber, written in any way, in one transaction with its event in the ledger.

    ``note`` is written with it, for the audit. What comes in afterwards is new, and stays. The same again finds
    nothing. Raises NothingStored, Unexplained, StoreError.
    """
    explained(reason, actor)
    came = as_it_came(phone)
    names = list(dict.fromkeys([phone_identity(phone, region) or came, came]))
    kept = list(_quarantined(store, names, region))

    def once(connection: Transaction) -> Erased:
        done = Erased(
            phone=names[0],
            messages=erasure.erase_messages(connection, names),
            quarantined=erasure.erase_quarantined(connection, kept),
            recipients=erasure.erase_recipients(connection, names),
            open=erasure.open_recipients(connection, names),
        )
        if done.anything:
            Chain(connection).append([_event(done, reason.strip(), actor.strip())])
            if note is not None:
                note.note(connection)
        return done

    done = written(store, once)
    # Tried though there was nothing: it may be what an earlier time has left.
    log_emptied = _emptied(store, sleep)
    if not done.anything:
        waiting = f", but {done.open} sends to it are open: cancel or settle them first" if done.open else ""
        raise NothingStored(f"nothing is stored of this phone that could be erased{waiting}")
    return replace(done, log_emptied=log_emptied)


def _event(done: Erased, reason: str, actor: str) -> Event:
    counts = {name: getattr(done, name) for name in ("messages", "quarantined", "recipients")}
    return Event(EventType.ERASED, datetime.now(UTC), actor, done.phone, detail={"reason": reason, **counts})


def _quarantined(store: Store, names: list[str], region: str) -> Iterator[UUID]:
    """The quarantined deliveries that are this sender's."""
    behind, more = _FIRST, True
    while more:
        with store.reading() as connection:
            rows = erasure.quarantined(connection, behind=behind, limit=_SEEN_AT_ONCE)
        for row in rows:
            if row["unsubscribes"] in names or _is_from(row["raw"], names, region):
                yield row["id"]
            behind = row["id"]
        more = len(rows) == _SEEN_AT_ONCE


def _is_from(raw: bytes, names: list[str], region: str) -> bool:
    """Whether the sender of what could not be accepted is one of ``names``.

    Where no sender can be told, whoever is named in it: it may well be theirs, and nobody could take it for a reply.
    """
    senders: set[str] = set()
    for value in values_in(raw, b"src"):
        said = visible(read_text(value).text).strip()
        # More may stand behind it: the rest of a request.
        senders |= phones_in(said, region) | ({said} if said else set())
    return not (senders or phones_in(read_text(raw).text, region)).isdisjoint(names)


def _emptied(store: Store, sleep: Callable[[float], None]) -> bool:
    for _ in range(_ATTEMPTS):
        try:
            if store.empty_log():
                return True
        except StoreError as failure:
            # All is erased by now: that is what is to be told, and that the log is still there.
            _log.warning("the write-ahead log can't be emptied now: %s", failure)
            return False
        sleep(_WAIT)
    return False

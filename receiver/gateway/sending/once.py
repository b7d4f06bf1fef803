"""A send that is asked for again under the same key is the same send, whatever became of the answer to the first.

The key is claimed before the send is stored, and names its id: the same again finds that id, and with it the send, be
it stored, about to be stored by another, or lost in the commit. A request that can't be sent claims nothing, so that it
can be corrected under the same key.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from receiver.store import idempotency, sends
from receiver.store.audit_log import Note
from receiver.store.store import Store
from receiver.vocabulary import new_id

from .enqueue import Enqueued, Sending
from .request import SendRequest
from .retrying import written
from .rules import Clock, now

# A key that was claimed so shortly before is of a request that may still be under way: both are planned for the same
# moment, so that not one is accepted and the other one too late.
_UNDER_WAY = timedelta(seconds=60)


class KeyReused(Exception):
    """The key came with another request before."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a program calls its request: its word for it, whose word it is (``holder``), and all that was asked."""

    holder: UUID
    word: str = field(repr=False)
    asked: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """What the word is kept as."""
        return sha256(self.word.encode()).hexdigest()

    @property
    def request_digest(self) -> str:
        """What the request is kept as: nobody who has it can try out phones without the word."""
        return sha256(self.word.encode() + b"\0" + self.asked).hexdigest()


def send_once(
    store: Store,
    request: SendRequest,
    actor: str,
    *,
    key: Key | None,
    region: str,
    charset: str,
    checked: Callable[[], None] = lambda: None,
    noted: Callable[[Enqueued], Note] | None = None,
    clock: Clock = now,
) -> Enqueued:
    """Store a send, or find the one that was stored under the same key; without a key it is a new one.

    ``checked`` is called before anything is kept of a request that keeps to the rules, and what it raises ends it.
    ``noted`` is written with the send. Raises KeyReused, Inadmissible, StoreError, Unknown.
    """
    moment = clock()
    known = None if key is None else _looked_up(store, key, moment)

    def sending() -> Sending:
        is_under_way = known is not None and moment - known["created_at"] < _UNDER_WAY
        planned_for = known["created_at"] if known is not None and is_under_way else moment
        return Sending(store, region, charset=charset, clock=lambda: planned_for)

    if known is None or not _is_stored(store, known["send_id"]):
        sending().plan(request)
        checked()
    if key is not None and known is None:
        known = _claimed(store, key, moment)
    send_id = None if known is None else known["send_id"]
    return sending().enqueue(request, actor, send_id=send_id, noted=noted)


def _looked_up(store: Store, key: Key, moment: Any) -> Any:
    with store.reading() as connection:
        known = idempotency.look(connection, key.holder, key.digest, now=moment)
    return known and _of_this_request(known, key)


def _claimed(store: Store, key: Key, moment: Any) -> Any:
    claimed = written(
        store,
        lambda connection: idempotency.claim(
            connection,
            key.holder,
            key.digest,
            request_sha256=key.request_digest,
            send_id=new_id(),
            now=moment,
        ),
    )
    return _of_this_request(claimed, key)


def _of_this_request(known: Any, key: Key) -> Any:
    if known["request_sha256"] != key.request_digest:
        raise KeyReused("this key came with another request before: take a new one for a new request")
    return known


def _is_stored(store: Store, send_id: UUID) -> bool:
    with store.reading() as connection:
        return sends.get(connection, send_id) is not None

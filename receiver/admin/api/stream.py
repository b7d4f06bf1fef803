"""The live tail of messages: server-sent events in the order of commits, resumable, and missing nothing."""

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from receiver.access import Action, Key, KeyRefused, Scope
from receiver.store import feed, messages
from receiver.store.errors import StoreError
from receiver.store.feed import Place
from receiver.store.store import Store

from ..parts import Parts, parts
from .gate import act, key, token
from .messages import MessageFilters, shown
from .problems import RATE_LIMITED, Rejected, invalid
from .routes import Routes

routes = Routes("Live tail", "Messages as they come in.")

_log = logging.getLogger(__name__)

# Each open stream takes a thread (receiver.server): so many in a process, and of one key.
MOST, MOST_OF_A_KEY = 32, 8
# Seconds between looks for new messages; without any, until a comment keeps the connection; until a key is looked at.
_EVERY, _ALIVE_EVERY, _KEY_EVERY = 1.0, 15.0, 5.0
# Seconds after which a client that lost the connection comes again, in milliseconds.
_RETRY_MS = 2_000
_AT_ONCE = 200
# After this nothing comes in any more that was received before ``until``.
_LATE = timedelta(minutes=1)
# A stream ends by itself, so that restarts need not wait for it: the client comes again and misses nothing.
_LONGEST = 3_600.0
_open: Counter[UUID] = Counter()
_lock = threading.Lock()
_is_ending = False


class StreamQuery(MessageFilters):
    model_config = ConfigDict(extra="forbid")

    after: str | None = Field(None, max_length=60, description="An event's id, where the header can't be sent")


class StreamHeaders(BaseModel):
    last_event_id: str | None = Field(
        None, alias="Last-Event-ID", max_length=60, description="The id of the last event that was received"
    )


@routes.get(
    "/messages/stream",
    scope=Scope.MESSAGES_READ,
    answers={
        200: {
            "description": "Events, for as long as the connection lasts",
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "example": "id: 42-0197b7a27b7a7b7a8b7a7b7a7b7a7b7a\nevent: message\n"
                    'data: {"id": "0197b7a2-7b7a-7b7a-8b7a-7b7a7b7a7b7a", "src": "+8613900000001", "text": "你好"}\n\n',
                }
            },
        }
    },
)
def stream_messages(query: StreamQuery, header: StreamHeaders) -> Response:
    """Watch messages come in

    Server-sent events: `event: message`, `data:` the message as JSON, `id:` its place. Send the last id as
    `Last-Event-ID` (browsers do so by themselves), or as `after`, and what came since is sent first: nothing is missed,
    in the order in which it was stored, which is not always that of the ids. Without one it begins now; with `since`
    at the first message of that time. A message that is read anew in another charset comes again.

    Comments keep the connection alive. It is ended after an hour, with a restart, and with its key: come again. With
    `until` it ends for good a minute after that.
    """
    held, store = parts(), parts().store
    written = header.last_event_id or query.after
    place = _begin(store, written, query)
    act(Action.MESSAGES_STREAMED).record(store)
    _enter(key())
    response = Response(_events(held, key(), token(), query.chosen(), place), content_type="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"  # a proxy would wait for more
    return response


def end_streams() -> None:
    """Have every stream of this process end: it is to stop. Safe in a signal's handler."""
    global _is_ending
    _is_ending = True


def _begin(store: Store, written: str | None, query: StreamQuery) -> Place:
    if written is not None:
        try:
            return Place.of(written)
        except ValueError:
            raise invalid("Last-Event-ID", "this is no id of an event: send one as it came") from None
    with store.reading() as transaction:
        if query.since is None:
            return feed.end(transaction)
        return Place()  # whatever is older than asked for is passed over


def _events(held: Parts, holder: Key, secret: str, chosen: messages.Filter, place: Place) -> Iterator[str]:
    fits = messages.matching(chosen)
    began = alive = looked = time.monotonic()
    try:
        yield f"retry: {_RETRY_MS}\n\n"
        while not _is_ending and time.monotonic() - began < _LONGEST:
            try:
                with held.store.reading() as transaction:
                    rows = feed.after(transaction, place, messages.COLUMNS, limit=_AT_ONCE)
            except StoreError as failure:
                _log.warning("a stream ends, the database can't be used: %s", failure)
                return
            told = [row for row in rows if fits(row)]
            if rows:
                place = feed.place_of(rows[-1])
            if told:
                alive = time.monotonic()
                yield "".join(map(_event, told))
            elif time.monotonic() - alive > _ALIVE_EVERY:
                alive = time.monotonic()
                # With the place, so that who filters much need not begin far back.
                yield f": alive\nid: {place}\n\n"
            if time.monotonic() - looked > _KEY_EVERY:
                looked = time.monotonic()
                if not _is_valid(held, secret):
                    return
            if len(rows) < _AT_ONCE:
                if chosen.until is not None and datetime.now(UTC) >= chosen.until + _LATE:
                    return
                time.sleep(_EVERY)
    finally:
        _leave(holder)


def _event(row: Any) -> str:
    data = json.dumps(shown({name: row[name] for name in messages.FIELDS}), ensure_ascii=False)
    return f"id: {feed.place_of(row)}\nevent: message\ndata: {data}\n\n"


def _is_valid(held: Parts, secret: str) -> bool:
    try:
        held.keys.authenticate(secret)
    except KeyRefused:
        return False
    except StoreError:
        return True  # the next look at the feed tells
    return True


def _enter(holder: Key) -> None:
    with _lock:
        if _open.total() >= MOST or _open[holder.id] >= MOST_OF_A_KEY:
            raise Rejected(
                RATE_LIMITED,
                f"there are {MOST_OF_A_KEY} streams of this key or {MOST} in all already: end one",
                headers={"Retry-After": "60"},
            )
        _open[holder.id] += 1


def _leave(holder: Key) -> None:
    with _lock:
        _open[holder.id] -= 1
        if not _open[holder.id]:
            del _open[holder.id]

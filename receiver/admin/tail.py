"""Streams of messages as they come in: server-sent events in the order of commits, resumable, and missing nothing."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Response, stream_with_context

from receiver.store import feed, messages
from receiver.store.errors import StoreError
from receiver.store.feed import Place
from receiver.store.store import Store

_log = logging.getLogger(__name__)

# Each open stream takes a thread (receiver.server): so many in a process, and of one key or person.
MOST, MOST_OF_ONE = 32, 8
# Seconds between looks for new messages; without any, until a comment keeps the connection; until its holder is looked
# at.
_EVERY, _ALIVE_EVERY, _HOLDER_EVERY = 1.0, 15.0, 5.0
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


class TooMany(Exception):
    """As many streams are open as may be, of one holder or in all."""


def follow(
    store: Store,
    holder: UUID,
    place: Place,
    chosen: messages.Filter,
    *,
    written: Callable[[Any], str],
    may_go_on: Callable[[], bool],
    shows: Callable[[Any], bool] = lambda _row: True,
) -> Response:
    """The answer that goes on with the messages that are chosen behind ``place``.

    ``written`` has a message's lines, but for its id; ``shows`` may leave out some that were chosen.

    It ends with its holder: as soon as ``may_go_on`` says no. A message that was read anew comes again.
    Raises TooMany before there is any event.
    """
    _enter(holder)
    events = _events(store, place, chosen, written, may_go_on, shows)
    response = Response(stream_with_context(events), content_type="text/event-stream")
    # With the answer, and not with its events: where the head alone was asked for they never begin, nor end.
    response.call_on_close(lambda: _leave(holder))
    response.headers["X-Accel-Buffering"] = "no"  # a proxy would wait for more
    return response


def end_streams() -> None:
    """Have every stream of this process end: it is to stop. Safe in a signal's handler."""
    global _is_ending
    _is_ending = True


def _events(
    store: Store,
    place: Place,
    chosen: messages.Filter,
    written: Callable[[Any], str],
    may_go_on: Callable[[], bool],
    shows: Callable[[Any], bool],
) -> Iterator[str]:
    fits = messages.matching(chosen)
    began = alive = looked = time.monotonic()
    yield f"retry: {_RETRY_MS}\n\n"
    while not _is_ending and time.monotonic() - began < _LONGEST:
        try:
            with store.reading() as transaction:
                rows = feed.after(transaction, place, messages.COLUMNS, limit=_AT_ONCE)
        except StoreError as failure:
            _log.warning("a stream ends, the database can't be used: %s", failure)
            return
        told = [row for row in rows if fits(row) and shows(row)]
        if rows:
            place = feed.place_of(rows[-1])
        if told:
            alive = time.monotonic()
            yield "".join(f"id: {feed.place_of(row)}\n{written(row)}\n" for row in told)
        elif time.monotonic() - alive > _ALIVE_EVERY:
            alive = time.monotonic()
            # With the place, so that who filters much need not begin far back.
            yield f": alive\nid: {place}\n\n"
        if time.monotonic() - looked > _HOLDER_EVERY:
            looked = time.monotonic()
            if not may_go_on():
                return
        if len(rows) < _AT_ONCE:
            if chosen.until is not None and datetime.now(UTC) >= chosen.until + _LATE:
                return
            time.sleep(_EVERY)


def _enter(holder: UUID) -> None:
    with _lock:
        if _open.total() >= MOST or _open[holder] >= MOST_OF_ONE:
            raise TooMany
        _open[holder] += 1


def _leave(holder: UUID) -> None:
    with _lock:
        _open[holder] -= 1
        if not _open[holder]:
            del _open[holder]

"""UUIDv7 keys: made before the insert, ordered by time, never repeated (RFC 9562 §5.7, method 3).

The 12 bits after the millisecond hold the fraction of it, so that ids of one process are strictly increasing
even inside a millisecond and when the clock steps back, without running ahead of the clock under load.
"""

import io
import os
import threading
import time
from datetime import datetime, timedelta
from uuid import UUID

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_TICKS_PER_MILLISECOND = 4096
# As store.ranges: how far an id may be ahead of the clock after that was set back.
_FOLLOWED_TICKS = 12 * 3_600_000 * _TICKS_PER_MILLISECOND
_VERSION_AND_VARIANT = (7 << 76) | (2 << 62)

_last_tick = 0
_lock = threading.Lock()
# Random bytes by the page: a system call for each id was a fortieth of all that a reply costs.
_PAGE = 4096
_page = io.BytesIO()


def new_id() -> UUID:
    """A new key, greater than every earlier one of this process, unless the clock was set back by half a day."""
    global _last_tick
    tick = time.time_ns() * _TICKS_PER_MILLISECOND // 1_000_000
    with _lock:
        if _last_tick - tick < _FOLLOWED_TICKS:
            tick = max(tick, _last_tick + 1)
        # Else the clock was set back by days, and is followed: no id is ever further ahead of its time than that.
        _last_tick = tick
        random = _page.read(8) or _next_page()
    return UUID(int=_layout(tick) | int.from_bytes(random) >> 2)


def earliest_id(moment: datetime) -> UUID:
    """The smallest key that can have been made at or after ``moment`` (aware), for ranges over the primary key."""
    milliseconds = max(0, (moment - _EPOCH) // timedelta(milliseconds=1))
    return UUID(int=_layout(milliseconds * _TICKS_PER_MILLISECOND))


def _next_page() -> bytes:
    global _page
    _page = io.BytesIO(os.urandom(_PAGE))
    return _page.read(8)


def _forget_page() -> None:
    global _page
    _page = io.BytesIO()


# Two processes must not go on with the same bytes.
os.register_at_fork(after_in_child=_forget_page)


def _layout(tick: int) -> int:
    milliseconds, fraction = divmod(tick, _TICKS_PER_MILLISECOND)
    return milliseconds << 80 | fraction << 64 | _VERSION_AND_VARIANT

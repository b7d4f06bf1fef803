"""For how long nobody replies at this time of the day and week, as it was before, and whether it is longer now.

What is known of the past is in which quarters of an hour somebody replied: that a campaign brought ten thousand replies
in one of them says nothing of how long people are silent at another time. It is enough from the third day on.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from .periods import quarter_of

_QUARTER = 900
DAY, WEEK = 96, 672
"""In quarters."""
WEEKS = 8
# With so many weeks known the same time of the same weekday is what now is compared with; before, that of other days.
_ENOUGH_WEEKS, _DAYS, _FEWEST_DAYS = 4, 7, 2


@dataclass(frozen=True, slots=True)
class Silence:
    """``usual`` is how many seconds nobody replied at most at this time before, one outlier aside.

    ``ratio`` is how many times as long it is, or was at the most unusual moment since the last reply: at night silence
    is usual, but one that began at noon does not become so.
    """

    usual: float
    ratio: float


def silence(busy: Sequence[int], last: datetime, now: datetime) -> Silence | None:
    """What is to be said of the silence since ``last``, by the quarters in which somebody replied, in order.

    None where too little is known of the past.
    """
    at = quarter_of(now)
    usual = _usual(busy, at)
    if usual is None:
        return None
    began = last.timestamp()
    ratio = max(0.0, now.timestamp() - began) / usual
    for quarter in range(max(quarter_of(last) + 1, at - WEEK), at + 1):
        known = _usual(busy, quarter)
        if known is not None:
            ratio = max(ratio, (quarter * _QUARTER - began) / known)
    return Silence(usual, ratio)


def _usual(busy: Sequence[int], at: int) -> float | None:
    weeks = [_silent(busy, at - week * WEEK) for week in range(1, WEEKS + 1)]
    known = sorted(each for each in weeks if each is not None)
    if len(known) >= _ENOUGH_WEEKS:
        return known[-2]  # the longest may have been a holiday, or an outage
    days = [_silent(busy, at - day * DAY) for day in range(1, _DAYS + 1)]
    known = sorted(each for each in days if each is not None)
    return known[-1] if len(known) >= _FEWEST_DAYS else None


def _silent(busy: Sequence[int], quarter: int) -> float | None:
    """For how many seconds at most nobody had replied in this quarter; None where nothing is known from before it."""
    place = bisect_right(busy, quarter)
    return None if place == 0 else float((quarter - busy[place - 1] + 1) * _QUARTER)

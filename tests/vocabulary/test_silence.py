"""For how long nobody replies: learnt by hour and weekday, enough from the third day on, and no alarm at night."""

from datetime import UTC, datetime, timedelta

import pytest

from receiver.vocabulary.periods import quarter_of
from receiver.vocabulary.silence import Silence, silence

MONDAY = datetime(2026, 6, 1, tzinfo=UTC)  # 8 in the morning in China
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
OPEN_HOURS = 10


def office(days: int, until: datetime, *, weekends: bool = True) -> list[int]:
    """The quarters of ten hours of each day, in which somebody always replies."""
    found = []
    for day in range(days, -1, -1):
        start = until.replace(hour=0) - day * DAY
        if weekends or start.weekday() < 5:
            found += [quarter_of(start) + number for number in range(4 * OPEN_HOURS)]
    return [quarter for quarter in found if quarter < quarter_of(until)]


def said(busy: list[int], last: datetime, now: datetime) -> Silence:
    told = silence(busy, last, now)
    assert told is not None
    return told


@pytest.mark.parametrize(("days", "knows"), [(0, False), (1, False), (2, True), (6, True)])
def test_it_knows_from_the_third_day_on(days: int, knows: bool) -> None:
    now = MONDAY + 2 * HOUR
    assert (silence(office(days, now), now, now) is not None) is knows


def test_at_noon_a_quarter_of_an_hour_is_usual_and_at_night_many_hours_are() -> None:
    noon, night = MONDAY + 4 * HOUR, MONDAY + 20 * HOUR
    assert said(office(60, noon), noon - HOUR, noon) == Silence(900, 4)
    told = said(office(60, night), MONDAY + OPEN_HOURS * HOUR, night)
    assert told.usual == (20 - OPEN_HOURS) * 3600 + 1_800
    assert told.ratio < 1


def test_what_became_unusual_at_noon_does_not_become_usual_at_night() -> None:
    began, night = MONDAY + 4 * HOUR, MONDAY + 22 * HOUR
    told = said(office(60, began), began, night)
    assert (night - began).total_seconds() / told.usual < 2, "by the night alone nothing would be seen"
    assert told.ratio > 20


def test_a_weekend_without_replies_is_usual_and_a_monday_is_not() -> None:
    friday, sunday, monday = MONDAY - 3 * DAY + 10 * HOUR, MONDAY - DAY + 4 * HOUR, MONDAY + 4 * HOUR
    busy = office(60, friday, weekends=False)
    assert said(busy, friday, sunday).ratio < 1.1
    assert said(busy, friday, monday).ratio > 2


def test_one_holiday_of_eight_weeks_is_no_rule_and_two_are() -> None:
    now = MONDAY + 4 * HOUR
    busy = office(60, now)
    for weeks, usual in ((1, 900), (2, 1_800 + 4 * 3600 + (24 - OPEN_HOURS) * 3600)):
        day = quarter_of(MONDAY - weeks * WEEK)
        busy = [quarter for quarter in busy if not day <= quarter < day + 96]
        assert said(busy, now - HOUR, now).usual == usual


def test_a_campaign_says_nothing_of_other_days() -> None:
    """Seldom somebody replies, but for one day: as silence goes, that day is one of many."""
    now = MONDAY + 4 * HOUR
    seldom = [quarter_of(now - day * DAY) - 8 for day in range(60, 0, -1)]
    campaign = set(range(quarter_of(MONDAY - 3 * WEEK), quarter_of(MONDAY - 3 * WEEK) + 96))
    told = said(sorted({*seldom, *campaign}), now - 26 * HOUR, now)
    assert told.usual == 2 * 3600 + 900
    assert said(seldom, now - 2 * HOUR, now).ratio < 1


def test_a_clock_that_was_set_back_makes_no_silence() -> None:
    assert said(office(60, MONDAY), MONDAY + HOUR, MONDAY).ratio == 0

"""Periods are cut where the clocks of a zone show a full hour or midnight, whatever was done to those clocks."""

from datetime import UTC, datetime, timedelta

import pytest

from receiver.vocabulary.periods import QUARTER, By, PeriodError, period, quarter_of

NOW = datetime(2026, 6, 3, 9, 20, tzinfo=UTC)
DAY = timedelta(days=1)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def hours_of_days(zone: str, since: datetime, until: datetime) -> list[tuple[str, float]]:
    """Each day's name and how many hours it has."""
    found = period(By.DAY, zone, since, until, NOW)
    pieces = zip(found.edges, found.edges[1:], strict=False)
    return [(found.name(start), (end - start) / timedelta(hours=1)) for start, end in pieces]


@pytest.mark.parametrize(
    ("zone", "since", "until", "days"),
    [
        ("Asia/Shanghai", utc(2026, 6, 2, 17), utc(2026, 6, 3, 16), [("2026-06-03", 24)]),
        ("UTC", utc(2026, 6, 2, 23, 59), utc(2026, 6, 3, 0, 1), [("2026-06-02", 24), ("2026-06-03", 24)]),
        ("Asia/Kolkata", utc(2026, 6, 2, 18, 30), utc(2026, 6, 3, 18, 30), [("2026-06-03", 24)]),
        ("Asia/Kathmandu", utc(2026, 6, 2, 18, 15), utc(2026, 6, 2, 18, 16), [("2026-06-03", 24)]),
        # Clocks are set forward, and back.
        ("Europe/Berlin", utc(2026, 3, 29, 1), utc(2026, 3, 29, 2), [("2026-03-29", 23)]),
        ("Europe/Berlin", utc(2026, 10, 25, 1), utc(2026, 10, 25, 2), [("2026-10-25", 25)]),
        ("Australia/Lord_Howe", utc(2026, 4, 4, 14), utc(2026, 4, 4, 15), [("2026-04-05", 24.5)]),
        # At midnight: there is none, or it comes twice.
        ("America/Sao_Paulo", utc(2018, 11, 3, 12), utc(2018, 11, 4, 12), [("2018-11-03", 24), ("2018-11-04", 23)]),
        ("America/Havana", utc(2026, 11, 1, 12), utc(2026, 11, 1, 13), [("2026-11-01", 25)]),
        # A day that was left out.
        ("Pacific/Apia", utc(2011, 12, 29, 12), utc(2011, 12, 30, 12), [("2011-12-29", 24), ("2011-12-31", 24)]),
    ],
)
def test_days_begin_at_midnight_there(
    zone: str, since: datetime, until: datetime, days: list[tuple[str, float]]
) -> None:
    assert hours_of_days(zone, since, until) == days


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Asia/Kathmandu", "Europe/Berlin", "Australia/Lord_Howe"])
@pytest.mark.parametrize("by", list(By))
def test_pieces_cover_what_was_asked_for_without_a_gap_in_whole_quarters(zone: str, by: By) -> None:
    for month in range(1, 13):
        since = utc(2026, month, 1, 5, 7, 3)
        found = period(by, zone, since, since + 30 * DAY, NOW)
        assert found.since <= since
        assert found.until >= since + 30 * DAY
        assert list(found.edges) == sorted(set(found.edges))
        assert all((edge - utc(1970, 1, 1)) % QUARTER == timedelta(0) for edge in found.edges)
        # No piece at either end is there for nothing.
        assert found.edges[1] > since
        assert found.edges[-2] < since + 30 * DAY


def test_hours_are_those_of_the_zone_s_clocks() -> None:
    found = period(By.HOUR, "Asia/Kolkata", utc(2026, 6, 3, 9, 20), utc(2026, 6, 3, 10, 30), NOW)
    assert found.edges == (utc(2026, 6, 3, 8, 30), utc(2026, 6, 3, 9, 30), utc(2026, 6, 3, 10, 30))
    assert found.name(found.since) == "2026-06-03T14:00:00+05:30"
    set_back = period(By.HOUR, "Europe/Berlin", utc(2026, 10, 25, 0), utc(2026, 10, 25, 2), NOW)
    assert [set_back.name(edge) for edge in set_back.edges[:-1]] == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
    ]
    by_half_an_hour = period(By.HOUR, "Australia/Lord_Howe", utc(2026, 10, 3, 14, 30), utc(2026, 10, 3, 17), NOW)
    assert [by_half_an_hour.name(edge)[11:] for edge in by_half_an_hour.edges[:-1]] == [
        "01:00:00+10:30",
        "02:30:00+11:00",
        "03:00:00+11:00",
    ]


def test_what_is_left_out_is_the_last_month_or_by_hour_the_last_day() -> None:
    by_day = period(By.DAY, "Asia/Shanghai", None, None, NOW)
    assert (by_day.since, by_day.until) == (utc(2026, 5, 3, 16), utc(2026, 6, 3, 16))
    by_hour = period(By.HOUR, "Asia/Shanghai", None, None, NOW)
    assert (by_hour.since, by_hour.until) == (utc(2026, 6, 2, 9), utc(2026, 6, 3, 10))
    by_kind = period(By.KIND, "Asia/Shanghai", None, None, NOW)
    assert (by_kind.since, by_kind.until) == (utc(2026, 5, 4, 9, 15), utc(2026, 6, 3, 9, 30))


@pytest.mark.parametrize(
    ("by", "zone", "since", "until", "field"),
    [
        (By.DAY, "Asia/Nowhere", None, None, "zone"),
        (By.DAY, "../../etc/passwd", None, None, "zone"),
        (By.DAY, "", None, None, "zone"),
        (By.DAY, "Asia", None, None, "zone"),
        (By.DAY, "UTC", NOW, NOW, "since"),
        (By.DAY, "UTC", NOW + DAY, None, "since"),
        (By.HOUR, "UTC", NOW - 32 * DAY, NOW, "since"),
        (By.SERVICE, "UTC", NOW - 401 * DAY, NOW, "since"),
        (By.DAY, "Asia/Shanghai", None, datetime.min.replace(tzinfo=UTC), "until"),
        (By.SERVICE, "UTC", NOW, datetime.max.replace(tzinfo=UTC), "until"),
        (By.HOUR, "UTC", datetime.min.replace(tzinfo=UTC), NOW, "since"),
    ],
)
def test_a_period_that_can_not_be_told_of_says_what_to_change(
    by: By, zone: str, since: datetime | None, until: datetime | None, field: str
) -> None:
    with pytest.raises(PeriodError) as refused:
        period(by, zone, since, until, NOW)
    assert refused.value.field == field


def test_the_longest_periods_may_be_asked_for() -> None:
    assert len(period(By.HOUR, "UTC", NOW - 31 * DAY, NOW, NOW).edges) == 31 * 24 + 2
    assert len(period(By.DAY, "UTC", NOW - 400 * DAY, NOW, NOW).edges) == 402
    assert period(By.DAY, "Etc/GMT+12", utc(1970, 1, 1), utc(1970, 1, 2), NOW).quarters[0] < 0
    assert period(By.DAY, "Etc/GMT-14", utc(9997, 12, 1), utc(9998, 1, 1), NOW).until > utc(9998, 1, 1) - DAY
    assert quarter_of(utc(1970, 1, 1, 0, 29)) == 1

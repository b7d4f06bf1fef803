"""Periods of statistics, cut into hours or days as the clocks of a zone show them.

What is counted is kept by the quarter of an hour: the offset of every zone, and so the beginning of each of its days
and hours, is a multiple of that.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

QUARTER = timedelta(minutes=15)
DEFAULT_ZONE = "Asia/Shanghai"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


class By(StrEnum):
    """What is counted apart."""

    HOUR = "hour"
    DAY = "day"
    SERVICE = "service"
    KIND = "kind"


# How much is told where nothing is said, and at most.
_USUAL = {By.HOUR: _DAY, By.DAY: 30 * _DAY, By.SERVICE: 30 * _DAY, By.KIND: 30 * _DAY}
# Beyond them are moments that some zone can't reckon with.
_YEARS = range(1900, 9999)
_MOST = {By.HOUR: 31 * _DAY, By.DAY: 400 * _DAY, By.SERVICE: 400 * _DAY, By.KIND: 400 * _DAY}


class PeriodError(ValueError):
    """A period that can't be told of; ``field`` names what to change."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Period:
    """From the first of ``edges`` to the last; by hour or day in pieces, each from one edge to the next."""

    by: By
    zone: ZoneInfo
    edges: tuple[datetime, ...]

    @property
    def since(self) -> datetime:
        return self.edges[0]

    @property
    def until(self) -> datetime:
        return self.edges[-1]

    @property
    def quarters(self) -> tuple[int, ...]:
        """The edges as numbers of quarters."""
        return tuple(map(quarter_of, self.edges))

    def name(self, start: datetime) -> str:
        """What the piece that begins at ``start`` is called there: a date, or a time with the zone's offset."""
        local = start.astimezone(self.zone)
        return local.date().isoformat() if self.by is By.DAY else local.isoformat(timespec="seconds")


def period(by: By, zone: str, since: datetime | None, until: datetime | None, now: datetime) -> Period:
    """The period from ``since`` (else the usual time before) to ``until`` (else ``now``), widened to whole pieces.

    By service and kind to whole quarters. Raises PeriodError where it is empty, longer than may be asked for or
    of another age, or where there is no such zone.
    """
    place = zone_of(zone)
    until = _told_of("until", now if until is None else until)
    since = _told_of("since", until - _USUAL[by] if since is None else since)
    if since >= until:
        raise PeriodError("since", "it must be before until, which is now where it is left out")
    if until - since > _MOST[by]:
        least = f"at most {_MOST[by].days} days by {by}: ask for less at once"
        raise PeriodError("since", least if by is not By.HOUR else f"{least}, or by day")
    return Period(by, place, tuple(_edges(by, place, since, until)))


def _told_of(field: str, moment: datetime) -> datetime:
    if moment.year not in _YEARS:
        raise PeriodError(field, f"nothing came in then: write a year from {_YEARS[0]} to {_YEARS[-1]}")
    return moment


def zone_of(name: str) -> ZoneInfo:
    """The zone of an IANA name. Raises PeriodError."""
    if name not in _zones():
        raise PeriodError("zone", f"no zone has this name: write one of IANA's, like {DEFAULT_ZONE}")
    return ZoneInfo(name)


def quarter_of(moment: datetime) -> int:
    """The number of the quarter of an hour that a moment is in."""
    return (moment - _EPOCH) // QUARTER


def hour_of(moment: datetime) -> int:
    """The number of the hour of UTC that a moment is in."""
    return (moment - _EPOCH) // _HOUR


@cache
def _zones() -> frozenset[str]:
    # Each time anew it would look into hundreds of files.
    return frozenset(available_timezones())


def _edges(by: By, zone: ZoneInfo, since: datetime, until: datetime) -> Iterator[datetime]:
    """Where the pieces begin, from that which ``since`` is in, and where the last one ends."""
    if by in (By.SERVICE, By.KIND):
        yield _quarter_before(since)
        yield _quarter_before(until + QUARTER - timedelta(microseconds=1))
        return
    for edge in _hours(since, zone) if by is By.HOUR else _days(since, zone):
        yield edge
        if edge >= until:
            return


def _quarter_before(moment: datetime) -> datetime:
    return _EPOCH + quarter_of(moment) * QUARTER


def _hours(since: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    moment = since
    while True:
        local = moment.astimezone(zone)
        begun = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        edge = moment.astimezone(UTC) - begun
        if edge.astimezone(zone).utcoffset() != local.utcoffset():
            # Clocks were set by half an hour since that one: this piece begins where they were.
            edge = _quarter_before(moment)
        yield edge
        moment = edge + _HOUR


def _days(since: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    day, last = since.astimezone(zone).date(), None
    while True:
        edge = _midnight(day, zone)
        # A day that a zone has left out, by a step over the date line, is none.
        if edge != last:
            yield edge
        day, last = day + _DAY, edge


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins: the first midnight of two; where clocks are set forward at midnight, the moment of that."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)

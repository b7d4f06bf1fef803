"""Statistics: what came in during a period, by its pieces, by service or by kind, and how fast it was acknowledged."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from receiver.vocabulary import Kind
from receiver.vocabulary.durations import Summary, summary
from receiver.vocabulary.periods import By, Period, hour_of

from . import acknowledged, counts
from .counts import Count
from .ranges import received
from .tables import quarantine


@dataclass(frozen=True, slots=True)
class Bucket:
    """One piece of the period, service or kind; or all of it, without ``key``.

    ``key`` is also None for replies that belong to no service. ``start`` and ``end`` are None by service and kind.
    ``quarantined`` is None where it can't be told apart.
    """

    key: str | None
    start: datetime | None
    end: datetime | None
    replies: int
    unsubscribes: int
    quarantined: int | None

    @property
    def opt_out_rate(self) -> float | None:
        """Unsubscribes in all that came in, replies and unsubscribes; None where nothing did."""
        came = self.replies + self.unsubscribes
        return round(self.unsubscribes / came, 6) if came else None


@dataclass(frozen=True, slots=True)
class Statistics:
    """``buckets`` in the order of time, of services' codes (those of none first), or of kinds."""

    period: Period
    buckets: Sequence[Bucket]
    total: Bucket
    acknowledged: Summary | None
    """From when a pushed request was parsed to when its commit was done, of all services, in the hours (of UTC) that
    the period touches."""


def statistics(connection: Connection, period: Period, *, service: str | None = None) -> Statistics:
    """What came in during ``period``, of one service or of all. Takes no lock.

    Deliveries in quarantine belong to no service: they are counted where none is asked for. In a transaction whose
    statements all see the same state (``Store.snapshot``).
    """
    kept = _quarantined(connection, period) if service is None else None
    buckets = list(_buckets(connection, period, service, kept))
    of_all = (sum(each.replies for each in buckets), sum(each.unsubscribes for each in buckets))
    total = Bucket(None, period.since, period.until, *of_all, None if kept is None else sum(kept.values()))
    last = hour_of(period.until - datetime.resolution)
    return Statistics(period, buckets, total, summary(acknowledged.spreads(connection, hour_of(period.since), last)))


def _buckets(
    connection: Connection, period: Period, service: str | None, kept: Mapping[int, int] | None
) -> Iterator[Bucket]:
    edges = period.quarters
    if period.by in (By.HOUR, By.DAY):
        pieces = counts.by_piece(connection, edges, service=service)
        held = None if kept is None else _in_pieces(kept, edges)
        for number, count in enumerate(pieces):
            start, end = period.edges[number : number + 2]
            in_quarantine = None if held is None else held[number]
            yield Bucket(period.name(start), start, end, count.replies, count.unsubscribes, in_quarantine)
        return
    found = counts.by_service(connection, edges[0], edges[-1], service=service)
    if period.by is By.SERVICE:
        for code, count in found.items():
            yield Bucket(code, None, None, count.replies, count.unsubscribes, None)
        return
    of_all = sum(found.values(), Count())
    yield Bucket(Kind.REPLY, None, None, of_all.replies, 0, None)
    yield Bucket(Kind.UNSUBSCRIBE, None, None, 0, of_all.unsubscribes, None)


def _quarantined(connection: Connection, period: Period) -> Mapping[int, int]:
    """How many deliveries of each quarter are in quarantine, taken in since or not: few, so that they are counted."""
    within = received(quarantine, period.since, period.until)
    quarter = counts.quarter_in(connection, quarantine.c.received_at).label("quarter")
    chosen = select(quarter).where(*within).subquery()
    statement = select(chosen.c.quarter, func.count()).group_by(chosen.c.quarter)
    return {row[0]: row[1] for row in connection.execute(statement)}


def _in_pieces(by_quarter: Mapping[int, int], edges: Sequence[int]) -> Counter[int]:
    found: Counter[int] = Counter()
    for at, count in by_quarter.items():
        found[bisect_right(edges, at) - 1] += count
    return found

"""Statistics over the API: numbers alone, that name nobody."""

from datetime import UTC, datetime
from typing import Any

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field

from receiver.access import Scope
from receiver.store import stats
from receiver.vocabulary.durations import Summary
from receiver.vocabulary.periods import DEFAULT_ZONE, By, PeriodError, period

from ..parts import parts
from .problems import invalid
from .routes import Routes
from .values import Moment, Text

routes = Routes("Statistics", "How many replies came in, how many of them said stop, and how fast they were answered.")

_RATE = "`unsubscribes` / (`replies` + `unsubscribes`); null where nothing came in"


class CameIn(BaseModel):
    """What came in."""

    replies: int = Field(description="Replies that said no stop, suspected duplicates among them", examples=[980])
    unsubscribes: int = Field(description="Replies that said stop", examples=[20])
    quarantined: int | None = Field(
        description="Deliveries kept in quarantine, taken in since or not; null by service or kind, and of one service",
        examples=[3],
    )
    opt_out_rate: float | None = Field(description=_RATE, examples=[0.02])


class Bucket(CameIn):
    """One hour, day, service or kind."""

    key: str | None = Field(
        description="A date, a time of the zone, a service's code (null: of no service) or a kind",
        examples=["2026-06-03"],
    )
    start: Moment | None = Field(description="Of an hour or day")
    end: Moment | None = Field(description="Where the next one begins")


class Acknowledged(BaseModel):
    """From when a pushed request was parsed to when its commit was done and `0` could be written, in milliseconds."""

    count: int = Field(description="Replies that were measured", examples=[1000])
    p50: float = Field(
        description="Half of them took no longer; up to a fifth too much, never too little", examples=[2.0]
    )
    p95: float = Field(description="Nor did 95 of 100", examples=[4.0])
    p99: float = Field(description="Nor did 99 of 100", examples=[8.0])
    max: float = Field(description="The longest, as it was measured", examples=[9.731])


class Statistics(BaseModel):
    """What came in during a period."""

    by: By
    zone: str = Field(examples=[DEFAULT_ZONE])
    since: Moment = Field(description="Where the first bucket begins, at or before what was asked for")
    until: Moment = Field(description="Where the last one ends, at or after what was asked for")
    buckets: list[Bucket]
    total: CameIn
    time_to_acknowledge: Acknowledged | None = Field(
        description="Of all services, in the hours of UTC that the period touches; null where nothing was measured"
    )


class StatsQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    by: By = Field(By.DAY, description="What is counted apart")
    zone: Text = Field(
        DEFAULT_ZONE,
        max_length=64,
        description="Whose days and hours: a time zone's IANA name",
        examples=[DEFAULT_ZONE],
    )
    since: Moment | None = Field(
        None, description="From the hour or day of this on; by default 30 days before `until`, by hour a day"
    )
    until: Moment | None = Field(None, description="To the end of the hour or day of this; by default now")
    service: Text | None = Field(None, max_length=64, description="Of this service alone", examples=["news"])


@routes.get("/stats", scope=Scope.MESSAGES_READ, answers={200: Statistics})
def get_stats(query: StatsQuery) -> Response:
    """Count what came in, by hour, day, service or kind

    At most 400 days at once, by hour 31. The period is widened to whole hours or days of the zone, by service and
    kind to quarters of an hour. Every hour or day of it is there, and of services those that anything came in for.

    The opt-out rate is `unsubscribes` / (`replies` + `unsubscribes`): of all replies that came in, the part that said
    stop, whether the phone was opted out already or not.

    What is purged by age or erased on request stays counted, in quarantine it does not. A reply that is read again in
    another charset counts as what it is taken for now, in the hour in which it came in.
    """
    try:
        asked = period(query.by, query.zone, query.since, query.until, datetime.now(UTC))
    except PeriodError as wrong:
        raise invalid(wrong.field, str(wrong)) from None
    with parts().store.snapshot() as transaction:
        found = stats.statistics(transaction, asked, service=query.service)
    shown = Statistics(
        by=query.by,
        zone=query.zone,
        since=asked.since,
        until=asked.until,
        buckets=[Bucket(key=each.key, start=each.start, end=each.end, **_counts(each)) for each in found.buckets],
        total=CameIn(**_counts(found.total)),
        time_to_acknowledge=_acknowledged(found.acknowledged),
    )
    return jsonify(shown.model_dump(mode="json"))


def _counts(of: stats.Bucket) -> dict[str, Any]:
    return {name: getattr(of, name) for name in CameIn.model_fields}


def _acknowledged(measured: Summary | None) -> Acknowledged | None:
    if measured is None:
        return None
    return Acknowledged(
        count=measured.count, p50=measured.p50, p95=measured.p95, p99=measured.p99, max=measured.longest
    )

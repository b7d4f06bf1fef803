"""``receiver stats``: how many replies came in, how many said stop, and how fast they were answered."""

from datetime import UTC, datetime
from typing import Any

import click

from receiver.store import stats
from receiver.store.stats import Bucket
from receiver.vocabulary.periods import DEFAULT_ZONE, By, PeriodError, period

from .database import opened, settings
from .options import period_options
from .output import Column, Format, details, format_option, render

_COUNTS = (
    Column("replies", "replies"),
    Column("unsubscribes", "unsubscribes"),
    Column("quarantined", "quarantined"),
    Column("opt_out_rate", "opt-out rate", show=lambda rate: "" if rate is None else f"{rate:.2%}"),
)
_BUCKET = (Column("key", "", fixed=True, show=lambda key: key or "-"), Column("start"), Column("end"), *_COUNTS)
# As the API calls them: what is measured has the name on the right.
_MEASURED = {"count": "count", "p50": "p50", "p95": "p95", "p99": "p99", "max": "longest"}
_TOTAL = (
    Column("since"),
    Column("until"),
    *_COUNTS,
    *[Column(f"acknowledged_{name}") for name in _MEASURED],
)


@click.command("stats")
@click.option("--by", type=click.Choice([by.value for by in By]), default=By.DAY.value, show_default=True)
@click.option("--zone", default=DEFAULT_ZONE, show_default=True, help="Whose days and hours: a zone's IANA name.")
@period_options
@click.option("--service", metavar="CODE", help="Of this service alone.")
@click.option("--total", is_flag=True, help="One line for all of it, with how long acknowledging took (ms).")
@format_option
def command(
    by: str,
    zone: str,
    since: datetime | None,
    until: datetime | None,
    service: str | None,
    total: bool,
    chosen_format: Format,
) -> None:
    """Count what came in, by hour, day, service or kind.

    The last 30 days, by hour the last one, unless --since and --until say otherwise; these are widened to whole hours
    or days. The opt-out rate is unsubscribes / (replies + unsubscribes). What was purged or erased stays counted.

    \b
    Examples:
      receiver stats
      receiver stats --by hour --since 2026-06-03 --until 2026-06-04
      receiver stats --by service --format csv
      receiver stats --total
    """
    try:
        asked = period(By(by), zone, since, until, datetime.now(UTC))
    except PeriodError as wrong:
        raise click.BadParameter(str(wrong), param_hint=f"--{wrong.field}") from None
    with opened(settings()) as store, store.snapshot() as connection:
        found = stats.statistics(connection, asked, service=service)
    if not total:
        render(map(_row, found.buckets), _BUCKET, chosen_format)
        return
    measured = {f"acknowledged_{name}": getattr(found.acknowledged, of, None) for name, of in _MEASURED.items()}
    details({**_row(found.total), "since": asked.since, "until": asked.until, **measured}, _TOTAL, chosen_format)


def _row(bucket: Bucket) -> dict[str, Any]:
    names = ("key", "start", "end", "replies", "unsubscribes", "quarantined", "opt_out_rate")
    return {name: getattr(bucket, name) for name in names}

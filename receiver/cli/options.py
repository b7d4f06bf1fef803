"""Options and arguments that several commands take."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any
from uuid import UUID

import click
from click.types import UUIDParameterType

from .output import CHINA

LARGEST_PAGE = 500
_EARLIEST, _LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)


class Moment(click.ParamType[datetime]):
    """An ISO 8601 date or time; China time where it names no zone."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no date or time; write for example 2025-06-03 or 2025-06-03T17:00", param, ctx)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=CHINA)
        if not _EARLIEST.date() <= moment.date() <= _LATEST.date():
            self.fail(f"{value!r} is out of range; write a year from 1971 to 9997", param, ctx)
        return moment


class _Id(UUIDParameterType):
    """An id of ours. What was written instead is not repeated: it may be a phone, and errors end up in logs."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> UUID:
        try:
            found: UUID = super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail("this is no id: copy one from the list", param, ctx)
        return found


ID = _Id()


def period_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--since`` and ``--until``, which is not before it."""

    @wraps(command)
    def checked(*arguments: Any, since: datetime | None, until: datetime | None, **options: Any) -> Any:
        if since is not None and until is not None and until < since:
            raise click.BadParameter(
                "it is before --since, and nothing is between them: write a later time, or leave one out",
                param_hint="--until",
            )
        return command(*arguments, since=since, until=until, **options)

    since = click.option("--since", type=Moment(), help="At or after this date or time (China time unless it says).")
    until = click.option("--until", type=Moment(), help="Before this date or time; a date is its beginning.")
    return since(until(checked))


def limit_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--limit``, of a page."""
    return click.option(
        "--limit", type=click.IntRange(1, LARGEST_PAGE), default=50, show_default=True, help="Rows to show at most."
    )(command)


def after_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--after``, the cursor of a list that is ordered by id."""
    return click.option(
        "--after", type=ID, metavar="ID", help="Continue below this id, the last one of the page before."
    )(command)


def reveal_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--reveal``."""
    return click.option("--reveal", is_flag=True, help="Show phone numbers whole.")(command)

"""``receiver services``: what people subscribe to, and the numbers that replies to it come in on."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from receiver.access import Action
from receiver.optout import services as rules
from receiver.optout.services import CODE, NUMBER, InTheWay, NoSuchService, ServiceError
from receiver.store import services

from .acts import own_act
from .database import opened, settings
from .options import limit_option
from .output import Column, Format, Row, format_option, hint, render

_COLUMNS = (
    Column("code", "code", fixed=True),
    Column("name", "name", widest=True),
    Column("numbers", "numbers"),
    Column("prefixes", "all that begin with"),
    Column("subscribers", "subscribers"),
    Column("created_at", "since (UTC+8)", fixed=True),
)


_REMOVED = (Column("code", "code", fixed=True), Column("status", "status", fixed=True))
_CHANGED = (*_COLUMNS[:4], Column("status", "status", fixed=True))


@click.group("services")
def command() -> None:
    """What people subscribe to, and the service numbers (dst) whose replies belong to each.

    A reply is filed under the service that has its number, else under that with the longest prefix of it, from two
    seconds after a change on. Replies that are stored already stay where they are.

    \b
    Examples:
      receiver services add news --name 每日新闻 --number 106900001 --prefix 10690002
      receiver services list
    """


class _Matching(click.ParamType[str]):
    def __init__(self, name: str, pattern: re.Pattern[str], advice: str) -> None:
        self.name, self._pattern, self._advice = name, pattern, advice

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not self._pattern.fullmatch(str(value)):
            self.fail(f"{value!r} can't be one: {self._advice}", param, ctx)
        return str(value)


code_argument: Callable[[Any], Any] = click.argument(
    "code", type=_Matching("code", CODE, "write 1 to 64 letters, digits, dots, hyphens or underscores")
)
_number = _Matching("number", NUMBER, "write 1 to 32 digits")


@command.command("list")
@limit_option
@click.option("--after", metavar="CODE", help="Continue behind this code, the last one of the page before.")
@format_option
def list_(limit: int, after: str | None, chosen_format: Format) -> None:
    """List services by code, with their numbers and how many subscribers each has now."""
    with opened(settings()) as store, store.reading() as connection:
        found = services.page(connection, after=after, limit=limit + 1)
        shown = rules.with_numbers(connection, found[:limit])
    _render(shown, _COLUMNS, chosen_format)
    if len(found) > limit:
        hint(f"There are more. Continue with: --after {shown[-1]['code']}")


@command.command("add")
@code_argument
@click.option("--name", required=True, help="What people call it.")
@click.option("--number", "numbers", type=_number, multiple=True, help="A service number; repeat for several.")
@click.option("--prefix", "prefixes", type=_number, multiple=True, help="How service numbers begin; repeatable.")
@format_option
def add(code: str, name: str, numbers: tuple[str, ...], prefixes: tuple[str, ...], chosen_format: Format) -> None:
    """Add the service CODE, or change it: the name, and where any are given all numbers and prefixes.

    New replies are filed by them within two seconds; those that are stored already stay where they are. Exit status 1
    where another service has a number.

    \b
    Examples:
      receiver services add news --name 每日新闻 --number 106900001
      receiver services add offers --name 优惠 --prefix 10690002 --prefix 10690003
    """
    with opened(settings()) as store:
        try:
            is_new = rules.change(
                store,
                code,
                name,
                numbers=numbers,
                prefixes=prefixes,
                keeps_numbers=not (numbers or prefixes),
                note=own_act(Action.SERVICE_CHANGED, code),
            )
        except InTheWay as taken:
            raise click.ClickException(str(taken)) from None
        except ServiceError as wrong:
            raise click.UsageError(str(wrong)) from None
        with store.reading() as connection:
            row = services.get(connection, code)
            now = rules.with_numbers(connection, [row] if row else [])
    status = "added" if is_new else "changed"
    _render([{**row, "status": status} for row in now], _CHANGED, chosen_format)


@command.command("remove")
@code_argument
@format_option
def remove(code: str, chosen_format: Format) -> None:
    """Remove the service CODE, where nobody ever subscribed to it. Replies that are filed under it stay so."""
    with opened(settings()) as store:
        try:
            rules.remove(store, code, note=own_act(Action.SERVICE_REMOVED, code))
        except NoSuchService as unknown:
            raise click.ClickException(f'{unknown}: see "receiver services list"') from None
        except InTheWay as subscribed:
            raise click.ClickException(str(subscribed)) from None
    render([{"code": code, "status": "removed"}], _REMOVED, chosen_format)


def _render(rows: Iterable[Row], columns: Sequence[Column], chosen_format: Format) -> None:
    # In a table and in CSV side by side, as they are written; in JSON a list.
    joined: Callable[[list[str]], Any] = list if chosen_format == "json" else " ".join
    shown = [{**row, "numbers": joined(row["numbers"]), "prefixes": joined(row["prefixes"])} for row in rows]
    render(shown, columns, chosen_format)

"""``receiver optouts add``, ``lift`` and ``history``: one subscriber's opt-out, changed by a person."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any

import click

from receiver.access import Act, Action
from receiver.access.audit import Via
from receiver.cli.acts import actor_option, reason_option
from receiver.cli.database import opened, settings
from receiver.cli.options import reveal_option
from receiver.cli.output import Column, Format, Row, format_option, hint, masked, render
from receiver.optout.register import NotAPhone, Register, RegisterError
from receiver.vocabulary.register import Source

NEW, ALREADY, LIFTED = "opted out", "already opted out", "no longer opted out"
# More are a list: it is imported in steps, so that no reply waits for all of them.
_MOST = 1_000
_STYLES = {"opted_out": "bold red", "lifted": "green"}

_CHANGED = (Column("phone", "phone", fixed=True), Column("status", "status", fixed=True))
_EVENTS = (
    Column("sequence", "event", fixed=True),
    Column("at", "at (UTC+8)", fixed=True),
    Column("type", "what", style=lambda kind: _STYLES.get(kind, ""), fixed=True),
    Column("actor", "by"),
    Column("detail", "detail", widest=True, show=lambda detail: ", ".join(f"{k}: {v}" for k, v in detail.items())),
    Column("message_id", "message", style=lambda _: "dim", fixed=True, beneath="message "),
)
_FIELDS = tuple(map(Column, ("sequence", "at", "type", "actor", "phone", "message_id", "raw_sha256", "detail", "hash")))


@click.command("add")
@click.argument("phones", nargs=-1, required=True, metavar="PHONE...")
@reason_option
@actor_option
@click.option(
    "--source",
    type=click.Choice([str(each) for each in Source]),
    default=str(Source.MANUAL),
    show_default=True,
    help="How the wish reached you.",
)
@reveal_option
@format_option
def add(phones: tuple[str, ...], reason: str, actor: str, source: str, reveal: bool, chosen_format: Format) -> None:
    """Opt out each PHONE, written in any way; - reads them from standard input, one a line.

    All of them, or none where one is no phone number. In force at once, with the end of their subscriptions. For more
    than 1,000 phones there is "receiver optouts import".

    \b
    Examples:
      receiver optouts add 13912345678 --reason "asked by telephone" --actor "Li Na"
      receiver optouts add - --reason "letter of 3 June" --actor "Li Na" < phones.txt
    """
    given = list(islice(spoken(phones), _MOST + 1))
    if len(given) > _MOST:
        raise click.UsageError(f'more than {_MOST:,} phones at once: use "receiver optouts import"')
    chosen = settings()
    with opened(chosen) as store, _explained():
        added = Register(store, chosen.default_region).add(
            given,
            source=Source(source),
            reason=reason,
            actor=actor,
            note=Act(Action.OPTOUT_ADDED, actor, Via.CLI, detail={"phones": len(given)}),
        )
    rows: list[Row] = [{"phone": phone, "status": NEW} for phone in sorted(added.new)]
    rows += [{"phone": phone, "status": ALREADY} for phone in sorted(added.repeated)]
    render(rows if reveal else [masked(row, "phone") for row in rows], _CHANGED, chosen_format)


@click.command("lift")
@click.argument("phone")
@reason_option
@actor_option
@reveal_option
@format_option
def lift(phone: str, reason: str, actor: str, reveal: bool, chosen_format: Format) -> None:
    """Take back the opt-out of PHONE: it may be sent to again. Its history stays, its subscriptions stay cancelled.

    Only for a subscriber who asked for it. Exit status 1 where PHONE is not opted out.

    \b
    Examples:
      receiver optouts lift 13912345678 --reason "asked to get messages again, by telephone" --actor "Li Na"
    """
    chosen = settings()
    with opened(chosen) as store, _explained():
        identity = Register(store, chosen.default_region).lift(
            phone, reason=reason, actor=actor, note=Act(Action.OPTOUT_LIFTED, actor, Via.CLI, phone)
        )
    row = {"phone": identity, "status": LIFTED}
    render([row if reveal else masked(row, "phone")], _CHANGED, chosen_format)


@click.command("history")
@click.argument("phone")
@reveal_option
@format_option
def history(phone: str, reveal: bool, chosen_format: Format) -> None:
    """Show every event of PHONE's, oldest first: opt-outs, lifts, cancelled services, stopped sends.

    Exit status 1 where there is none.

    \b
    Examples:
      receiver optouts history 13912345678
    """
    chosen = settings()
    with opened(chosen) as store:
        known = Register(store, chosen.default_region).history(phone)
    if not known.events:
        raise click.ClickException('nothing is known of this phone: to see who is opted out, "receiver optouts list"')
    rows: Iterable[Row] = known.events if reveal else [masked(row, "phone") for row in known.events]
    if chosen_format == "table":
        render(rows, _EVENTS, chosen_format)
        hint("not opted out now" if known.optout is None else "opted out now")
    else:
        render(_written(rows, chosen_format), _FIELDS, chosen_format)


def spoken(phones: Iterable[str]) -> Iterator[str]:
    """The phones of an argument; - stands for the lines of standard input. Raises UsageError where there are none."""
    given = _spoken(phones)
    first = next(given, None)
    if first is None:
        # Most likely what should have written them has failed: to say that all is well would let a send go on.
        raise click.UsageError("there is no phone in standard input: write one a line")
    return chain([first], given)


def _spoken(phones: Iterable[str]) -> Iterator[str]:
    for phone in phones:
        if phone == "-":
            yield from filter(None, (line.strip() for line in sys.stdin))
        else:
            yield phone


def _written(rows: Iterable[Row], chosen_format: Format) -> Iterator[dict[str, Any]]:
    for row in rows:
        detail = row["detail"]
        yield {**row, "detail": json.dumps(detail, ensure_ascii=False) if chosen_format == "csv" else detail}


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except NotAPhone as wrong:
        raise click.UsageError(str(wrong)) from wrong
    except RegisterError as wrong:
        raise click.ClickException(str(wrong)) from wrong

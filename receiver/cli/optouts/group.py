"""``receiver optouts``: who said stop."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import click

from receiver.cli.database import opened, settings
from receiver.cli.options import limit_option, period_options, reveal_option
from receiver.cli.output import Column, Format, Row, format_option, hint, masked, render
from receiver.intake.spool import hold, spool_of
from receiver.optout.guard import GuardUnavailable, blocked
from receiver.store import optouts
from receiver.store.store import Store
from receiver.vocabulary import phone_identity
from receiver.vocabulary.ledger import timestamp

from .change import add, history, lift, spoken
from .lists import export_, import_
from .proof import check_proof, proof
from .verify import verify

BLOCKED, ALLOWED, INVALID = "blocked", "allowed", "invalid"
HELD = "held"
_BATCH = 1_000
_STYLES = {BLOCKED: "bold red", ALLOWED: "green", INVALID: "yellow", HELD: "bold yellow"}

_LIST = (
    Column("phone", "phone", fixed=True),
    Column("since", "since (UTC+8)", fixed=True),
    Column("source", "source"),
    Column("actor", "by"),
    Column("reason", "reason", widest=True),
    Column("message_id", "message", style=lambda _: "dim", fixed=True, beneath="message "),
)
_CHECK = (
    Column("phone", "phone", fixed=True),
    Column("identity", "identity", fixed=True),
    Column("status", "status", style=lambda status: _STYLES[status], fixed=True),
    Column("since", "since (UTC+8)", fixed=True),
)


@click.group("optouts")
def command() -> None:
    """People who said stop: list them, check phones before you send to them, add and lift, and prove all of it.

    \b
    Examples:
      receiver optouts list --since 2025-06-01
      receiver optouts check 13912345678 && ./send-it
      receiver optouts check - < phones.txt
      receiver optouts add 13912345678 --reason "asked by telephone" --actor "Li Na"
      receiver optouts verify
    """


for _command in (add, lift, history, import_, export_, verify, proof, check_proof):
    command.add_command(_command)


class _Cursor(click.ParamType[tuple[datetime, int]]):
    """Where a page ended: the last one's moment, ``+`` how many of that moment were seen. It names no phone."""

    name = "cursor"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[datetime, int]:
        moment, _, seen = str(value).partition("+")
        try:
            at = datetime.fromisoformat(moment)
            if at.tzinfo is not None and 1 < at.year < 9999:
                return at, int(seen)
        except ValueError:
            pass
        self.fail(f"{value!r} is no cursor; take the one that the page before ended with", param, ctx)


def _cursor(shown: Sequence[Row], after: tuple[datetime, int] | None) -> str:
    last = shown[-1]["since"]
    seen = sum(row["since"] == last for row in shown)
    if after is not None and after[0] == last:
        seen += after[1]
    return f"{timestamp(last)}+{seen}"


@command.command("list")
@period_options
@limit_option
@click.option("--after", type=_Cursor(), metavar="CURSOR", help="Continue where a page ended, by what it said then.")
@reveal_option
@format_option
def list_(
    since: datetime | None,
    until: datetime | None,
    limit: int,
    after: tuple[datetime, int] | None,
    reveal: bool,
    chosen_format: Format,
) -> None:
    """List the opt-outs in force, newest first, with phones masked unless --reveal.

    \b
    Examples:
      receiver optouts list --limit 500 --reveal --format csv > blocked.csv
      receiver optouts list --since 2025-06-01 --until 2025-07-01
    """
    with opened(settings()) as store, store.reading() as connection:
        found = optouts.page(connection, since=since, until=until, after=after, limit=limit + 1)
    shown = [dict(row) for row in found[:limit]]
    render(shown if reveal else [masked(row, "phone") for row in shown], _LIST, chosen_format)
    if len(found) > limit:
        hint(f"There are more. Continue with: --after {_cursor(shown, after)}")


@command.command("check")
@click.argument("phones", nargs=-1, required=True, metavar="PHONE...")
@format_option
def check(phones: tuple[str, ...], chosen_format: Format) -> None:
    """Say of each PHONE, written in any way, whether it is opted out; - reads them from standard input, one a line.

    While replies wait in this machine's spool, who is not blocked is "held" instead of "allowed": what waits may be
    their stop, and the register does not know it yet.

    Exit status 1 if any is blocked, else 3 if any is held, else 2 if any is no phone number or there is none at all,
    else 0: all may be sent to.

    \b
    Examples:
      receiver optouts check 13912345678 "+86 138 0013 8000"
      receiver optouts check - < phones.txt | grep '"blocked"'
    """
    chosen = settings()
    given = spoken(phones)
    counts: Counter[str] = Counter()
    held = hold(spool_of(chosen))
    with opened(chosen) as store:
        render(_checked(store, given, chosen.default_region, counts, HELD if held else ALLOWED), _CHECK, chosen_format)
    if held:
        click.echo(f'nobody may be texted now: {held}. See "receiver spool status"', err=True)
    if counts[BLOCKED]:
        raise click.exceptions.Exit(1)
    if counts[HELD]:
        raise click.exceptions.Exit(3)
    if counts[INVALID]:
        raise click.exceptions.Exit(2)


class _NobodyToAsk(click.ClickException):
    exit_code = 3


def _checked(
    store: Store, phones: Iterator[str], region: str, counts: Counter[str], allowed_is: str
) -> Iterator[dict[str, Any]]:
    while batch := list(islice(phones, _BATCH)):
        try:
            verdict = blocked(store, batch, region)
        except GuardUnavailable as failure:
            raise _NobodyToAsk(str(failure)) from failure
        stopped = {each.written: each for each in verdict.blocked}
        allowed = dict(verdict.allowed)
        for phone in batch:
            status = BLOCKED if phone in stopped else allowed_is if phone in allowed else INVALID
            counts[status] += 1
            since = stopped[phone].since if phone in stopped else None
            yield {"phone": phone, "identity": phone_identity(phone, region), "status": status, "since": since}

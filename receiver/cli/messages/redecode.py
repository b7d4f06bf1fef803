"""``receiver messages redecode``: replies read again from their bytes, in another charset."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import click

from receiver.access import Act, Action
from receiver.access.audit import Via
from receiver.cli.acts import doer_option
from receiver.cli.database import opened, settings
from receiver.cli.options import ID
from receiver.cli.output import Column, Format, format_option, hint, render
from receiver.intake.redecode import NoSuchMessage, Notes, Redecoded, Redecoding
from receiver.store import messages
from receiver.vocabulary import Charset, Kind

from .filters import Asked, message_filters

_AT_ONCE = 500
_COLUMNS = (
    Column("id", "id", style=lambda _: "dim", fixed=True, beneath=""),
    Column("changed"),
    Column("text_before", "text before"),
    Column("text", "text now", widest=True),
    Column("charset_before"),
    Column("charset", "charset", fixed=True),
    Column("charset_certain_before"),
    Column("charset_certain"),
    Column("kind_before", "kind before", fixed=True),
    Column("kind", "kind now", style=lambda kind: "bold red" if kind == Kind.UNSUBSCRIBE else "", fixed=True),
    Column("stopped", "stop", style=lambda _: "bold red", fixed=True),
)


@click.command("redecode")
@click.argument("message_id", type=ID, metavar="[ID]", required=False)
@message_filters
@click.option("--all", "all_", is_flag=True, help="Every reply that there is.")
@click.option(
    "--charset",
    type=click.Choice([str(each) for each in Charset]),
    required=True,
    help="What they are to be read in; auto is the rule that decides for each text.",
)
@click.option("--dry-run", is_flag=True, help="Show what would change, before and after; change nothing.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@doer_option
@format_option
def redecode(
    message_id: UUID | None,
    all_: bool,
    charset: str,
    dry_run: bool,
    yes: bool,
    actor: str,
    chosen_format: Format,
    **filters: Any,
) -> None:
    """Read a reply again, or all that match, from the bytes that came; prints those that say something else then.

    What a reply was taken to say before is kept: "show" has it. One that turns out to be an unsubscribe is honoured at
    once, with the time when it came, also where the phone was lifted since: nobody knew of that stop then. One that
    turns out to be none lifts nothing.

    \b
    Examples:
      receiver messages redecode 01973a5e-7d1c-7b3a-9c11-2f0c8f9a4d21 --charset gb18030
      receiver messages redecode --charset gb18030 --since 2025-06-01 --until 2025-06-03 --dry-run
      receiver messages redecode --charset auto --all --yes
    """
    asked, wanted = Asked(**filters), Charset(charset)
    if sum((message_id is not None, all_, not asked.is_for_all)) != 1:
        raise click.UsageError("say which replies: one ID, or filters, or --all")
    chosen = settings()
    if message_id is None and not (yes or dry_run) and sys.stdin.isatty():
        click.confirm(
            f"Read all that match again in {charset}, and honour the unsubscribes among them?", abort=True, err=True
        )
    with opened(chosen) as store:
        redecoding, tally = Redecoding(store, chosen.reading), _Tally()
        notes = None if dry_run else _notes(actor, wanted)
        if message_id is not None:
            try:
                found = iter([redecoding.one(message_id, wanted, actor=actor, notes=notes, dry_run=dry_run)])
                tally.examined = 1
            except NoSuchMessage as unknown:
                raise click.ClickException(f'{unknown}: see "receiver messages list"') from None
        else:
            found = _all(redecoding, asked.filter(chosen), wanted, tally, actor=actor, notes=notes, dry_run=dry_run)
        render(_rows(found, tally), _COLUMNS, chosen_format)
    would = "would be" if dry_run else "are"
    hint(
        f"{tally.examined:,} read again: {tally.changed:,} {would} read otherwise, "
        f"{tally.unsubscribes:,} of them unsubscribes that nobody saw"
    )


@dataclass
class _Tally:
    """What became of those that were read again."""

    examined: int = 0
    changed: int = 0
    unsubscribes: int = 0


def _all(
    redecoding: Redecoding, chosen: messages.Filter, charset: Charset, tally: _Tally, **how: Any
) -> Iterator[Redecoded]:
    newer_than: UUID | None = UUID(int=0)
    while newer_than is not None:
        part = redecoding.some(chosen, charset, newer_than=newer_than, limit=_AT_ONCE, **how)
        tally.examined += part.count
        newer_than = part.last
        yield from part.changed


def _rows(found: Iterator[Redecoded], tally: _Tally) -> Iterator[dict[str, Any]]:
    for each in found:
        tally.changed += each.changed
        tally.unsubscribes += each.before["kind"] == Kind.REPLY and each.after["kind"] == Kind.UNSUBSCRIBE
        before = {f"{name}_before": value for name, value in each.before.items()}
        yield {"id": each.id, "changed": each.changed, **before, **each.after, "stopped": each.stopped}


def _notes(actor: str, charset: Charset) -> Notes:
    def noted(message_id: UUID) -> Act:
        return Act(Action.MESSAGE_REDECODED, actor, Via.CLI, str(message_id), {"charset": charset.value})

    return noted

"""``receiver optouts verify``: whether the ledger is what it was."""

import click

from receiver.cli.acts import watched
from receiver.cli.database import opened, settings
from receiver.cli.output import Column, Format, details, format_option
from receiver.optout.verify import verify as verification

from .head import METAVAR, Head

_COLUMNS = (
    Column("ok", style=lambda ok: "green" if ok else "bold red"),
    Column("events"),
    Column("head", fixed=True),
    Column("wrong_event"),
    Column("problem", style=lambda _: "bold red"),
)


@click.command("verify")
@click.option("--head", type=Head(), metavar=METAVAR, help="A head printed earlier and kept elsewhere; must be there.")
@format_option
def verify(head: str | None, chosen_format: Format) -> None:
    """Work the whole ledger out anew: nothing was edited, removed, inserted or moved, and the register agrees with it.

    Names the first event that is wrong; "events" counts those before it that are right. Exit status 1 if anything is
    wrong.

    Whoever may write to the database could replace the whole ledger, or cut off its end. So keep the head's hash
    elsewhere (print it, mail it to someone), and give it here: every later ledger must contain it. "receiver db backup"
    prints it with its number before it; both forms are taken.

    \b
    Examples:
      receiver optouts verify
      receiver optouts verify --format json >> heads.jsonl
      receiver optouts verify --head 9af15b336e6a9619928537df30b2e6a2376569fcf9d7e773eccede65606529a0
      receiver optouts verify --head 42:9af15b336e6a9619928537df30b2e6a2376569fcf9d7e773eccede65606529a0
    """
    with opened(settings()) as store, watched("verifying") as progress:
        found = verification(store, pinned=head, progress=progress)
    problems = [f"event {found.finding.sequence} {found.finding.problem}"] if found.finding else found.disagreements
    row = {
        "ok": found.ok,
        "events": found.events,
        "head": found.head,
        "wrong_event": found.finding.sequence if found.finding else None,
        "problem": "; ".join(problems) or None,
    }
    details(row, _COLUMNS, chosen_format)
    if not found.ok:
        raise click.exceptions.Exit(1)

"""``receiver doctor``: is everything as it should be here, and what mends what is not."""

import click

from receiver.worker.doctor import Check, examine
from receiver.worker.health import Level

from .database import settings
from .output import Column, Format, format_option, render

_STYLES = {Level.GOOD: "green", Level.WARN: "yellow", Level.BAD: "bold red"}
_COLUMNS = (
    Column("part", "part", fixed=True),
    Column("level", "is", style=lambda level: _STYLES[level], fixed=True),
    Column("says", "says", widest=True),
    Column("mend", "what mends it", beneath="mend it: "),
)


@click.command("doctor")
@click.option("--offline", is_flag=True, help="Don't ask the gateway for the balance.")
@format_option
def command(offline: bool, chosen_format: Format) -> None:
    """Look at every part of this installation: settings, database, disk, spool, tasks, clock, who called, the ledger's
    head, backups, and the gateway with its login.

    Changes nothing. Exit status 1 where something is bad; a warning alone is 0.

    \b
    Examples:
      receiver doctor
      receiver doctor --offline --format json | jq 'select(.level != "good")'
    """
    chosen = settings()
    found = list(examine(chosen, ask_gateway=not offline))
    render(map(_row, found), _COLUMNS, chosen_format)
    if any(check.level is Level.BAD for check in found):
        raise click.exceptions.Exit(1)


def _row(check: Check) -> dict[str, str | None]:
    return {"part": check.part, "level": check.level, "says": check.says, "mend": check.mend}

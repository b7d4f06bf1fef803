"""``receiver spool``: what waits on this machine's disk for the database, and storing it now."""

from dataclasses import asdict
from typing import Any

import click

from receiver.gateway.polling import Became
from receiver.gateway.polling import CannotStore as CannotStorePulled
from receiver.gateway.polling import Spool as PolledSpool
from receiver.intake.spool import CannotStore, spool_of
from receiver.store.errors import Unavailable
from receiver.vocabulary.sizes import size_told

from .damaged import damaged, settle
from .database import opened, or_elsewhere, settings
from .output import Column, Format, details, format_option, hint, render

_ALARM = "bold red"
_STATUS = (
    Column("spool", "replies that were", fixed=True),
    Column("waiting", "waiting", style=lambda waiting: "yellow" if waiting else "", fixed=True),
    Column("stops", "unsubscribes", style=lambda stops: "yellow" if stops else "", fixed=True),
    Column("oldest", "oldest (UTC+8)", fixed=True),
    Column("size", "size", show=lambda size: "" if size is None else size_told(size), fixed=True),
    # For people they are said below the table, where there are any.
    Column("damaged"),
    Column("torn"),
    Column("unreadable"),
    Column("other_versions"),
    Column("folder"),
)
_BESIDES = {
    "damaged": "{count} damaged: for a person to see to, before anything is sent",
    "torn": "{count} torn: the end of a write that was never acknowledged, to be deleted",
    "unreadable": "{count} that can't be read: give the receiver the right to",
    "other_versions": '{count} of another version: start it, and have it "receiver spool drain"',
}
_DRAINED = (
    Column("stored", "stored", fixed=True),
    Column("quarantined", "in quarantine", fixed=True),
    Column("set_aside", "set aside", style=lambda count: _ALARM if count else "", fixed=True),
    Column("waiting", "waiting still", style=lambda count: "yellow" if count else "", fixed=True),
)


@click.group("spool")
def command() -> None:
    """Replies on this machine's disk, in DATA_DIR/spool: acknowledged, durable, and not in the database yet.

    The callback writes there while the database can't be used, and stores all of it when that is back; a worker does
    so for processes that are gone. As long as anything waits, this machine sends nothing: it could be an unsubscribe.
    What was set aside since it can't be read or stored holds sends too, until a person has seen to it.

    \b
    Examples:
      receiver spool status
      receiver spool drain
      receiver spool damaged
    """


command.add_command(damaged)
command.add_command(settle)


@command.command("status")
@format_option
def status(chosen_format: Format) -> None:
    """Say what waits, and in which folder. Needs no database."""
    chosen = settings()
    pushed, pulled = spool_of(chosen), PolledSpool(chosen.data_dir)
    rows: list[dict[str, Any]] = [
        {"spool": "pushed", **asdict(pushed.status()), "folder": str(pushed.folder.absolute())},
        {
            "spool": "pulled",
            "waiting": len(pulled.waiting()),
            "damaged": pulled.corrupt(),
            "folder": str(pulled.folder.absolute()),
        },
    ]
    render([{column.name: row.get(column.name) for column in _STATUS} for row in rows], _STATUS, chosen_format)
    if not chosen.data_dir.exists():
        click.echo(f"there is no folder {chosen.data_dir.absolute()}{or_elsewhere(chosen)}", err=True)
    for row in rows:
        if chosen_format == "table":
            besides = [told.format(count=row[name]) for name, told in _BESIDES.items() if row.get(name)]
            click.echo("\n  ".join([f"{row['spool']}: {row['folder']}", *besides]))
    if rows[0]["damaged"]:
        hint('See to damaged files with "receiver spool damaged" and "receiver spool settle".')


@command.command("drain")
@format_option
def drain(chosen_format: Format) -> None:
    """Store what waits, and what no running process is writing: its unsubscribes first.

    Exit status 3 where the database can't be used, 1 where something could not be read or is refused in any form: it
    was set aside, and holds every send until a person has seen to it ("receiver spool damaged").
    """
    from receiver.worker.roster import Parts

    chosen = settings()
    with opened(chosen) as store:
        parts = Parts.of(chosen, store)
        try:
            drained, became = parts.pushed().run(), parts.drain().run()
        except (CannotStore, CannotStorePulled) as failure:
            raise Unavailable(str(failure)) from failure
        finally:
            parts.intake.close()
    row = {
        "stored": drained.stored + became[Became.REPLY] + became[Became.UNSUBSCRIBE],
        "quarantined": drained.quarantined + became[Became.QUARANTINED],
        "set_aside": drained.set_aside + became[Became.CORRUPT],
        "waiting": spool_of(chosen).status().waiting + became[Became.LEFT],
    }
    details(row, _DRAINED, chosen_format)
    if row["set_aside"]:
        raise click.exceptions.Exit(1)

"""``receiver spool``: what waits on this machine's disk for the database, and storing it now."""

from typing import Any

import click

from receiver.gateway.polling import Became
from receiver.gateway.polling import CannotStore as CannotStorePulled
from receiver.gateway.polling import Spool as PolledSpool
from receiver.intake.spool import CannotStore, spool_of
from receiver.store.errors import Unavailable

from .damaged import damaged, settle
from .database import opened, settings
from .output import Column, Format, details, format_option, hint, render

_ALARM = "bold red"
_STATUS = (
    Column("spool", "replies that were", fixed=True),
    Column("waiting", "waiting", style=lambda waiting: "yellow" if waiting else "", fixed=True),
    Column("stops", "unsubscribes among them", style=lambda stops: "yellow" if stops else ""),
    Column("oldest", "oldest (UTC+8)", fixed=True),
    Column("size", "bytes", fixed=True),
    Column("damaged", "damaged files", style=lambda count: _ALARM if count else ""),
    Column("torn", "torn ends"),
    Column("unreadable", "files that can't be read", style=lambda count: _ALARM if count else ""),
    Column("other_versions", "files of other versions", style=lambda count: _ALARM if count else ""),
)
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
    """Say what waits. Needs no database."""
    chosen = settings()
    pushed, pulled = spool_of(chosen).status(), PolledSpool(chosen.data_dir)
    rows: list[dict[str, Any]] = [
        {"spool": "pushed", **{column.name: getattr(pushed, column.name) for column in _STATUS[1:]}},
        {"spool": "pulled", "waiting": len(pulled.waiting()), "damaged": pulled.corrupt()},
    ]
    render([{column.name: row.get(column.name) for column in _STATUS} for row in rows], _STATUS, chosen_format)
    if pushed.damaged or rows[1]["damaged"]:
        hint('Damaged files are for a person to look at: see "receiver spool damaged".')


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

"""``receiver worker``: the work besides receiving, and how it stands."""

import click

from receiver import config
from receiver.store import tasks as statements
from receiver.worker.status import State, status

from .database import opened, refuse_missing, settings
from .output import Column, Format, format_option, hint, render

_STYLES = {State.RUNNING: "green", State.STUCK: "bold red", State.FAILING: "red", State.OFF: "dim"}

_COLUMNS = (
    Column("name", "task", fixed=True),
    Column("state", "state", style=lambda state: _STYLES.get(state, ""), fixed=True),
    Column("last_run", "last run (UTC+8)", fixed=True),
    Column("lag", "lag (s)", style=lambda lag: "yellow" if lag and lag > 60 else "", fixed=True),
    Column("next_run", "next run (UTC+8)", fixed=True),
    Column("failures", "failures", fixed=True),
    Column("error", "error", style=lambda _: "red", beneath="error: "),
    Column("detail", "detail", widest=True),
    Column("holder", "runs in", style=lambda _: "dim", beneath="runs in "),
)


@click.group("worker", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Do what is to be done besides receiving, until Ctrl-C or SIGTERM: send what is queued, pull replies.

    "receiver serve" runs a worker too. Any number may share a database, on any number of machines: each task is done
    by one of them at a time. A worker that is killed is replaced when its leases have run out.

    \b
    Examples:
      receiver worker
      receiver worker tasks
    """
    if context.invoked_subcommand is None:
        chosen = config.load()
        refuse_missing(chosen)
        from receiver.metrics.worker import work

        raise click.exceptions.Exit(0 if work(chosen) else 1)


@command.command("tasks")
@format_option
def tasks(chosen_format: Format) -> None:
    """List the tasks: how each stands, when it ran last, and how many seconds it is late (lag).

    waiting: for its next run. running: in the worker that is named. stuck: its worker hangs or has died, and another
    takes over. failing: it is tried again, ever more slowly. off: no worker with these settings runs it.

    \b
    Examples:
      receiver worker tasks
      receiver worker tasks --format json | jq 'select(.state == "failing")'
    """
    from receiver.worker.roster import task_names

    chosen = settings()
    with opened(chosen) as store, store.reading() as connection:
        known = statements.every_standing(connection)
    here = task_names(chosen)
    render([status(standing, here) for standing in known], _COLUMNS, chosen_format)
    if missing := [name for name in here if name not in {standing.name for standing in known}]:
        hint(f"Never run yet: {', '.join(missing)}. Is there a worker? Start one with: receiver worker")

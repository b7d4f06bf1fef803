"""The receive path and the register against their budgets: ``make bench``, or ``python -m bench`` with options.

On the receive path ours, the ceiling and the usual ways take turns under the same load on this machine, so that a
ratio is of figures measured seconds apart. Exits with 1 where a line of the budget is missed, with 3 where it can't be
measured.
"""

import contextlib
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console

from tests.postgres import Postgres, PostgresUnavailable

from . import register, report
from .contenders import ALL, Contender, Database
from .load import LoadFailed, drive, generator
from .machine import describe, filesystem
from .results import Promise, Sample, budget, rows
from .serving import Server, ServerFailed

WARM_UP_SECONDS = 1
WIDTH = 140
_AT_LEAST_ONE = click.IntRange(min=1)


@click.command()
@click.option(
    "--seconds",
    type=_AT_LEAST_ONE,
    default=5,
    show_default=True,
    help="How long each contender is loaded in each round.",
)
@click.option(
    "--rounds", type=_AT_LEAST_ONE, default=5, show_default=True, help="How often each contender has its turn."
)
@click.option("--connections", type=_AT_LEAST_ONE, default=64, show_default=True, help="Connections that send at once.")
@click.option("--quick", is_flag=True, help="One round of a second each: does it run, not how fast.")
@click.option("--markdown", is_flag=True, help="Print Markdown, for docs/performance.md.")
@click.option("--only", type=click.Choice(["receive", "register"]), help="Measure one of the two alone.")
@click.option(
    "--scale",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="The register's size, of the budget's five million opt-outs and million events.",
)
def main(
    seconds: int, rounds: int, connections: int, quick: bool, markdown: bool, only: str | None, scale: float
) -> None:
    """Measure the receive path and the register against their budgets."""
    if quick:
        seconds, rounds, scale = 1, 1, min(scale, 0.01)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything started is stopped
    promises: list[Promise] = []
    try:
        if only != "register":
            promises += _receive_path(seconds, rounds, connections, markdown)
        if only != "receive":
            promises += _register(scale, rounds, markdown)
    except (LoadFailed, ServerFailed, PostgresUnavailable, register.RegisterFailed) as failure:
        click.echo(f"Error: {failure}", err=True)
        sys.exit(3)
    sys.exit(0 if all(promise.kept for promise in promises) else 1)


def _receive_path(seconds: int, rounds: int, connections: int, markdown: bool) -> list[Promise]:
    machine, samples = measure(seconds, rounds, connections)
    table = rows(samples)
    promises = budget(table)
    title = f"{connections} connections, distinct phones, medians of {rounds} × {seconds} s"
    if markdown:
        click.echo(report.markdown(title, machine, table, promises))
    else:
        report.show(Console(width=WIDTH), title, machine, table, promises)
    return promises


def _register(scale: float, rounds: int, markdown: bool) -> list[Promise]:
    with _databases() as (directory, postgres):
        machine = describe(directory, postgres.url, "one process asks")
        figures = register.measure(directory, postgres, scale, rounds)
    title = f"The register, medians of {rounds} rounds for the guard and {min(rounds, 3)} for verify"
    if markdown:
        click.echo(register.markdown(title, machine, figures))
    else:
        register.show(Console(width=WIDTH), title, machine, figures)
    return register.budget(figures)


def measure(seconds: int, rounds: int, connections: int) -> tuple[report.Machine, dict[Contender, list[Sample]]]:
    """Start everything, give each contender its turn in each round, and stop everything.

    Raises LoadFailed, ServerFailed, PostgresUnavailable.
    """
    progress = Console(stderr=True)
    with contextlib.ExitStack() as stack:
        directory, postgres = stack.enter_context(_databases())
        machine = describe(directory, postgres.url, generator())
        servers = [
            stack.enter_context(_server(contender, directory / str(number), postgres))
            for number, contender in enumerate(ALL)
        ]
        samples: dict[Contender, list[Sample]] = {contender: [] for contender in ALL}
        for turn in range(rounds):
            # There and back, so that none always comes after the same other.
            for server in servers if turn % 2 == 0 else reversed(servers):
                progress.print(f"round {turn + 1} of {rounds}: {server.contender}", highlight=False)
                samples[server.contender].append(_measure(server, turn, seconds, connections))
    return machine, samples


@contextlib.contextmanager
def _databases() -> Iterator[tuple[Path, Postgres]]:
    """A folder for SQLite's files, and a PostgreSQL; both are taken away at the end."""
    _prefer_a_disk()
    with contextlib.ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="receiver-bench-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        postgres = Postgres()
        stack.callback(postgres.close)
        postgres.start()
        yield directory, postgres


def _prefer_a_disk() -> None:
    """Keep the databases off memory, where a commit costs nothing."""
    if filesystem(Path(tempfile.gettempdir())) in ("tmpfs", "ramfs"):
        tempfile.tempdir = "/var/tmp"


def _server(contender: Contender, directory: Path, postgres: Postgres) -> Server:
    if contender.database is Database.POSTGRESQL:
        return Server(contender, postgres.create_database(), directory)
    directory.mkdir()
    return Server(contender, f"sqlite:///{directory / 'receiver.db'}", directory)


def _measure(server: Server, turn: int, seconds: int, connections: int) -> Sample:
    """One contender's turn: warmed up, loaded, and its table counted."""
    with server.as_measured() as before:
        warm_up = drive(server.port, run=2 * turn, seconds=WARM_UP_SECONDS, connections=connections)
        cpu = server.cpu_seconds()
        load = drive(server.port, run=2 * turn + 1, seconds=seconds, connections=connections)
        cpu = server.cpu_seconds() - cpu
    after = server.stored()
    return Sample(
        load=load,
        cpu_seconds=cpu,
        memory_mb=server.memory_mb(),
        answered=warm_up.replies + load.replies,
        stored=None if before is None or after is None else after - before,
    )


if __name__ == "__main__":
    main()

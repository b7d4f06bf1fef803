"""The receive path against its budget: ``make bench``, or ``python -m bench`` with options.

Ours, the ceiling and the usual ways take turns under the same load on this machine, so that a ratio is of figures
measured seconds apart. Exits with 1 where a line of the budget is missed, with 3 where it can't be measured.
"""

import contextlib
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console

from tests.postgres import Postgres, PostgresUnavailable

from . import report
from .contenders import ALL, Contender, Database
from .load import LoadFailed, drive, generator
from .machine import describe, filesystem
from .results import Sample, budget, rows
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
def main(seconds: int, rounds: int, connections: int, quick: bool, markdown: bool) -> None:
    """Measure the receive path against its budget."""
    if quick:
        seconds, rounds = 1, 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything started is stopped
    try:
        machine, samples = measure(seconds, rounds, connections)
    except (LoadFailed, ServerFailed, PostgresUnavailable) as failure:
        click.echo(f"Error: {failure}", err=True)
        sys.exit(3)
    table = rows(samples)
    promises = budget(table)
    title = f"{connections} connections, distinct phones, medians of {rounds} × {seconds} s"
    if markdown:
        click.echo(report.markdown(title, machine, table, promises))
    else:
        report.show(Console(width=WIDTH), title, machine, table, promises)
    sys.exit(0 if all(promise.kept for promise in promises) else 1)


def measure(seconds: int, rounds: int, connections: int) -> tuple[report.Machine, dict[Contender, list[Sample]]]:
    """Start everything, give each contender its turn in each round, and stop everything.

    Raises LoadFailed, ServerFailed, PostgresUnavailable.
    """
    progress = Console(stderr=True)
    _prefer_a_disk()
    with contextlib.ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="receiver-bench-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        postgres = Postgres()
        stack.callback(postgres.close)
        postgres.start()
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
    before = server.stored()
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

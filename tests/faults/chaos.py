"""Faults one after another under load, and the account of it: ``make chaos``, or ``python -m tests.faults.chaos``.

A run's number decides which faults come, when, and for how long: with ``--seed`` the same come again. Exits with 1
where something that was acknowledged is not stored exactly once and in force, or the receiver did not go on by itself.
"""

import random
import secrets
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import get_args

import click

from tests.postgres import Postgres

from .faults import FAULTS, Injected
from .scene import Engine, Episode, NotSeen, Scene

ENGINES: tuple[Engine, ...] = get_args(Engine)
# Seconds: before a fault comes, and that it lasts once it is felt.
BEFORE, LASTS = (0.05, 1.0), (0.0, 3.0)


@click.command()
@click.option(
    "--database", type=click.Choice(ENGINES), help="One of the two alone; both otherwise, one after the other."
)
@click.option("--seconds", type=click.FloatRange(min=1), default=120, show_default=True, help="Of each database's run.")
@click.option("--seed", type=click.IntRange(min=0), help="A run's number, to have the same faults again.")
@click.option("--each", type=click.IntRange(min=1), help="Instead, every fault so many times, and a table of them.")
def main(database: Engine | None, seconds: float, seed: int | None, each: int | None) -> None:
    """Inject faults under load, and hold the database against what was acknowledged."""
    seed = secrets.randbelow(10**6) if seed is None else seed
    engines = ENGINES if database is None else (database,)
    try:
        if each is None:
            outcomes = [_random(engine, seconds, seed) for engine in engines]
        else:
            outcomes = [_each(engine, each, seed) for engine in engines]
    except NotSeen as failure:
        click.echo(failure, err=True)
        outcomes = [False]
    if not all(outcomes):
        chosen = f" --database {database}" if database else ""
        many = f" --each {each}" if each else f" --seconds {seconds:g}"
        click.echo(f"The same again: make chaos ARGS='--seed {seed}{chosen}{many}'", err=True)
        sys.exit(1)


def _random(engine: Engine, seconds: float, seed: int) -> bool:
    chance = random.Random(seed)
    befalling = [fault for fault in FAULTS if engine in fault.engines]
    click.echo(f"{engine}, {seconds:g} s, seed {seed}")
    episodes = []
    with _scene(engine) as scene:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            fault, lasts, before = chance.choice(befalling), chance.uniform(*LASTS), chance.uniform(*BEFORE)
            click.echo(f"  {fault.name}, {lasts:.1f} s")
            episodes.append(scene.suffer(fault, seconds=lasts, before=before))
        return _account(scene, episodes)


def _each(engine: Engine, times: int, seed: int) -> bool:
    chance = random.Random(seed)
    with _scene(engine) as scene:
        suffered: dict[Injected, list[Episode]] = {}
        for fault in FAULTS:
            if engine in fault.engines:
                suffered[fault] = [
                    scene.suffer(fault, seconds=chance.uniform(*LASTS), before=chance.uniform(*BEFORE))
                    for _ in range(times)
                ]
        click.echo(f"\n| on {engine} | injected | acknowledged | lost | duplicated | `-4` | answers `0` | all stored |")
        click.echo("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        for fault, episodes in suffered.items():
            click.echo(_row(fault, episodes))
        click.echo()
        return _account(scene, [episode for episodes in suffered.values() for episode in episodes])


def _row(fault: Injected, episodes: Sequence[Episode]) -> str:
    acknowledged = sum(episode.acknowledged for episode in episodes)
    refused = sum(episode.refused.total() for episode in episodes)
    lost = sum(episode.lost for episode in episodes)
    doubled = sum(episode.doubled for episode in episodes)
    answered = _median_and_most([episode.answered_after for episode in episodes])
    stored = _median_and_most([episode.stored_after for episode in episodes])
    counts = [str(len(episodes)), *(f"{count:,}" for count in (acknowledged, lost, doubled, refused))]
    return f"| {' | '.join([fault.name, *counts, answered, stored])} |"


def _median_and_most(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds):.1f} s, {max(seconds):.1f} s"


def _account(scene: Scene, episodes: Sequence[Episode]) -> bool:
    """Print what came of all; whether that is as it must be. What one fault left right, a later one may have harmed."""
    accounts = [load.account for load in scene.loads]
    audits = [scene.audit(load) for load in scene.loads]
    verified = scene.verified()
    refused = sum((account.refused for account in accounts), Counter[str]())
    click.echo(f"{len(episodes)} faults on {scene.engine}:")
    for name, count in {
        "pushed": sum(account.sent for account in accounts),
        "acknowledged": sum(account.acknowledged for account in accounts),
        "of them unsubscribes": sum(account.unsubscribes_acknowledged for account in accounts),
        "refused": ", ".join(f"{count} × {answer}" for answer, count in refused.items()) or "0",
        "left without an answer": sum(account.unanswered for account in accounts),
        "stored": sum(audit.stored for audit in audits),
        "acknowledged and lost": sum(len(audit.lost) for audit in audits),
        "stored twice": sum(len(audit.doubled) for audit in audits),
        "altered": sum(len(audit.altered) for audit in audits),
        "unsubscribes not in force": sum(len(audit.not_in_force) for audit in audits),
        "ledger": "verified" if verified.ok else f"wrong: {verified.finding or verified.disagreements}",
    }.items():
        click.echo(f"  {name}: {count}")
    return verified.ok and set(refused) <= {"-4"} and all(audit.ok for audit in audits)


@contextmanager
def _scene(engine: Engine) -> Iterator[Scene]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="receiver-chaos-")))
        postgres = None
        if engine == "postgresql":
            postgres = Postgres()
            stack.callback(postgres.close)
        yield stack.enter_context(Scene(engine, folder, postgres))


if __name__ == "__main__":
    main()

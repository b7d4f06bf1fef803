"""The register against its budget: the guard before millions of opt-outs, and a ledger of a million events verified.

The databases are filled as years would fill them (``bench.filled``). Each question is asked in a process of its own,
so that the memory that it takes can be told.
"""

import random
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from receiver.optout import guard
from receiver.optout.verify import verify
from receiver.store.store import Store
from tests.postgres import Postgres

from .contenders import Database
from .filled import fill_ledger, fill_register, phone
from .report import Machine, line
from .results import Promise

OPTOUTS = 5_000_000
PHONES = 100_000
EVENTS = 1_000_000
BLOCKED = 0.1
# The budget, in seconds.
GUARD_SECONDS = 2.0
VERIFY_SECONDS = 30.0
# The whole register would take forty times as much.
GUARD_MB = 128.0

COLUMNS = ("question", "database", "of", "median s", "slowest s", "per second", "memory MB")
_TEXT_COLUMNS = 3
_FORMS = ("{}", "86{}", "+86{}", "0086{}", "+86 {}")


class RegisterFailed(Exception):
    """A question was answered wrongly: its time means nothing."""


@dataclass(frozen=True, slots=True)
class Figure:
    """How long one question took, asked several times, and how far the memory of who asked grew."""

    question: str
    database: Database
    of: str
    items: int
    seconds: Sequence[float]
    memory_mb: float

    @property
    def median(self) -> float:
        return median(self.seconds)


def measure(directory: Path, postgres: Postgres, scale: float, rounds: int) -> list[Figure]:
    """Fill a register and a ledger on each database, and ask. Raises RegisterFailed, PostgresUnavailable."""
    progress = Console(stderr=True)
    figures = []
    for database in (Database.SQLITE, Database.POSTGRESQL):
        asked: tuple[Callable[..., Figure], ...] = (_guard, _verify)
        for ask in asked:
            progress.print(f"{ask.__name__.removeprefix('_')}, {database}: filling the database", highlight=False)
            url = _new_database(database, directory / f"{ask.__name__}.db", postgres)
            figures.append(ask(url, database, scale, rounds))
    return figures


def budget(figures: Sequence[Figure]) -> list[Promise]:
    """Every line of the budget. ``figures`` of a smaller scale say nothing about it."""
    promises = []
    for figure in figures:
        seconds = GUARD_SECONDS if figure.question.startswith("guard") else VERIFY_SECONDS
        name = f"{figure.database}: {figure.question} of {figure.of}"
        promises.append(Promise(f"{name} < {seconds:g} s", f"{figure.median:.2f} s", figure.median < seconds))
        if figure.question.startswith("guard"):
            kept = figure.memory_mb < GUARD_MB
            promises.append(
                Promise(f"{name} without loading it: < {GUARD_MB:g} MB", f"{figure.memory_mb:.0f} MB", kept)
            )
    return promises


def show(console: Console, title: str, machine: Machine, figures: Sequence[Figure]) -> None:
    for name, value in machine:
        console.print(f"{name:>10}  {value}", highlight=False)
    table = Table(title=title, title_justify="left")
    for index, name in enumerate(COLUMNS):
        table.add_column(name, justify="left" if index < _TEXT_COLUMNS else "right")
    for figure in figures:
        table.add_row(*cells(figure))
    console.print(table)
    for promise in budget(figures):
        verdict = "[green]met   [/green]" if promise.kept else "[red]missed[/red]"
        console.print(f"{verdict} {promise.text}: {promise.measured}", highlight=False)


def markdown(title: str, machine: Machine, figures: Sequence[Figure]) -> str:
    aligned = ["---" if index < _TEXT_COLUMNS else "---:" for index in range(len(COLUMNS))]
    return "\n".join(
        [
            f"{title}.",
            "",
            *(f"- {name}: {value}" for name, value in machine),
            "",
            line(COLUMNS),
            line(aligned),
            *(line(cells(figure)) for figure in figures),
            "",
            line(["budget", "measured", ""]),
            line(["---", "---:", "---"]),
            *(line([each.text, each.measured, "met" if each.kept else "**missed**"]) for each in budget(figures)),
            "",
        ]
    )


def cells(figure: Figure) -> list[str]:
    """A row of the table, in the order of COLUMNS."""
    return [
        figure.question,
        str(figure.database),
        figure.of,
        f"{figure.median:.2f}",
        f"{max(figure.seconds):.2f}",
        f"{figure.items / figure.median:,.0f}",
        f"{figure.memory_mb:.0f}",
    ]


def _guard(url: str, database: Database, scale: float, rounds: int) -> Figure:
    optouts, phones = _scaled(OPTOUTS, scale), _scaled(PHONES, scale)
    fill_register(url, optouts)
    seconds, memory_mb = _alone(ask_guard, url, optouts, phones, rounds)
    question = f"guard: {phones:,} phones, {BLOCKED:.0%} blocked"
    return Figure(question, database, f"{optouts:,} opt-outs", phones, seconds, memory_mb)


def _verify(url: str, database: Database, scale: float, rounds: int) -> Figure:
    events = _scaled(EVENTS, scale)
    head = fill_ledger(url, events)
    seconds, memory_mb = _alone(ask_verify, url, events, head, min(rounds, 3))
    return Figure("verify: chain and register", database, f"{events:,} events", events, seconds, memory_mb)


def ask_guard(url: str, optouts: int, phones: int, rounds: int) -> tuple[list[float], float]:
    """Ask for other phones each time; the seconds of each round, and the megabytes grown. Raises RegisterFailed."""
    chance = random.Random(optouts)
    took, grown = [], []
    with closing(Store(url)) as store:
        guard.blocked(store, [phone(1)])  # connected, and all code loaded
        for _ in range(rounds):
            blocked = chance.sample(range(0, 2 * optouts, 2), k=round(phones * BLOCKED))
            numbers = blocked + chance.sample(range(1, 2 * max(optouts, phones), 2), k=phones - len(blocked))
            chance.shuffle(numbers)
            written = [_FORMS[n // 2 % len(_FORMS)].format(phone(n).removeprefix("+86")) for n in numbers]
            before = _forget_peak()
            began = time.perf_counter()
            verdict = guard.blocked(store, written)
            took.append(time.perf_counter() - began)
            grown.append(_peak() - before)
            if {stopped.identity for stopped in verdict.blocked} != set(map(phone, blocked)) or verdict.invalid:
                raise RegisterFailed(f"the guard blocked {len(verdict.blocked)} phones, not {len(blocked)}")
            if len(verdict.allowed) != phones - len(blocked):
                raise RegisterFailed(f"the guard allowed {len(verdict.allowed)} of {phones} phones")
    return took, max(grown)


def ask_verify(url: str, events: int, head: str, rounds: int) -> tuple[list[float], float]:
    """Verify; the seconds of each round, and the megabytes grown. Raises RegisterFailed."""
    took, grown = [], []
    with closing(Store(url)) as store:
        store.probe()
        for _ in range(rounds):
            before = _forget_peak()
            began = time.perf_counter()
            outcome = verify(store, pinned=head)
            took.append(time.perf_counter() - began)
            grown.append(_peak() - before)
            if not outcome.ok or (outcome.events, outcome.head) != (events, head):
                raise RegisterFailed(f"a valid ledger of {events} events is said to be wrong: {outcome}")
    return took, max(grown)


def _alone(ask: Callable[..., tuple[list[float], float]], *arguments: object) -> tuple[list[float], float]:
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(ask, *arguments).result()


def _new_database(database: Database, path: Path, postgres: Postgres) -> str:
    return postgres.create_database() if database is Database.POSTGRESQL else f"sqlite:///{path}"


def _scaled(count: int, scale: float) -> int:
    return max(10, round(count * scale))


def _forget_peak() -> float:
    """Begin to look for the peak of this process's memory anew; the megabytes that it takes now."""
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak() -> float:
    return _status("VmHWM")


def _status(name: str) -> float:
    """Megabytes of 2**20 bytes, from the kernel's account of this process; 0 where there is none."""
    path = Path("/proc/self/status")
    for entry in path.read_text().splitlines() if path.exists() else []:
        if entry.startswith(f"{name}:"):
            return int(entry.split()[1]) / 1024
    return 0.0

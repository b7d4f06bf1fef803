"""Each page of the console over a million messages, against its budget of time and weight: ``make bench ARGS=console``.

The register's ledger and the messages are written in bulk, the index is made by the worker's code, and a week of the
demonstration's data gives every page something to show. Pages are found by links, and asked for in turn, many times.
"""

import gzip
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from urllib.parse import quote

import click

from receiver.access.people import People
from receiver.access.sessions import Sessions
from receiver.admin.console.cookies import LOCALE, SESSION
from receiver.demo import tell
from receiver.gateway.simulator.gateway import DEMO, SimulatedGateway
from receiver.store import counts
from receiver.store.store import Store
from tests.admin.console.found import Found
from tests.admin.console.visitor import Visitor
from tests.serving import Server

from .filled import fill_ledger, settle
from .machine import describe
from .replies import ABSENT, COMMON, RARE
from .report import line
from .search import BUDGET_MS as DATABASES
from .search import build, databases

MESSAGES = 1_000_000
EVENTS = 100_000
COUNTED_AT_ONCE = 20_000
BUDGET_MS, BUDGET_KB = 50.0, 150.0
_ASSET = re.compile(r'(?:href|src)="(/static/[^"]+)"')
# What people ask of a page beside looking at it, by its endpoint.
_ASKED = {
    "replies.index": [f"text={quote(word)}" for word in (COMMON, RARE, ABSENT)]
    + ["kind=unsubscribe", "duplicates=yes"],
}


@dataclass(frozen=True)
class Measured:
    """A page's time in ms by database, and what it and its assets weigh, gzipped."""

    times: dict[str, list[float]]
    page_kb: float
    assets_kb: float


def fill_database(url: str, count: int) -> None:
    """Migrate an empty database and put everything into it."""
    fill_ledger(url, min(EVENTS, count))
    build(url, count, lambda what: print(what, file=sys.stderr, flush=True))
    # After the others, as it comes in: whatever is indexed out of its turn makes one bucket of the index ever larger.
    with closing(Store(url, pooled=False)) as store:
        tell(store, datetime.now(UTC))
    count_messages(url)


def count_messages(url: str) -> None:
    """What the worker does for statistics."""
    with closing(Store(url, pooled=False)) as store:
        counted = COUNTED_AT_ONCE
        while counted == COUNTED_AT_ONCE:
            with store.writing() as connection:
                counted = counts.count(connection, limit=COUNTED_AT_ONCE)
    settle(url)


def measure(name: str, url: str, folder: Path, rounds: int, found: dict[str, Measured]) -> None:
    """Add the pages' times on one database to ``found``."""
    with _serving(url, folder) as (port, cookie):
        pages = [(page.name, page.path, page.member) for page in Found(port, cookie).pages()]
        pages.append(("(healthz: an empty answer)", "/healthz", False))
        pages += [
            (f"{page}?{query}", f"{path}?{query}", member)
            for page, path, member in pages
            for query in _ASKED.get(page, ())
        ]
        weights: dict[str, float] = {}
        for turn in range(rounds + 1):
            for page, path, member in pages:
                visitor = Visitor(port, {LOCALE: "zh", **({SESSION: cookie} if member else {})})
                began = perf_counter()
                shown = visitor.get(path)
                took = (perf_counter() - began) * 1_000
                if not turn:  # warms up
                    assets = sum(_asset_kb(visitor, asset, weights) for asset in set(_ASSET.findall(shown.text)))
                    found.setdefault(page, Measured({}, _kilobytes(shown.text.encode()), assets)).times[name] = []
                elif shown.status == 200:
                    found[page].times[name].append(took)


@contextmanager
def _serving(url: str, folder: Path) -> Iterator[tuple[int, str]]:
    """The admin role over the database, and a cookie of somebody who may see everything."""
    with SimulatedGateway() as gateway:
        settings = {"URL": gateway.url, "NAME": DEMO.name, "PASSWORD": DEMO.password}
        env = {f"RECEIVER_GATEWAY_{key}": value for key, value in settings.items()}
        with (
            Server(url, folder, env, role="admin", migrate=False) as server,
            closing(Store(url, pooled=False)) as store,
        ):
            cookie = Sessions(store).begin(People(store).get("admin"), peer="127.0.0.1", agent="bench")
            yield server.port, cookie


def _asset_kb(visitor: Visitor, path: str, known: dict[str, float]) -> float:
    if path not in known:
        known[path] = _kilobytes(visitor.get(path).text.encode())
    return known[path]


def _kilobytes(content: bytes) -> float:
    return len(gzip.compress(content, 6)) / 1_000


def rows(found: dict[str, Measured], names: Sequence[str]) -> Iterator[tuple[list[str], bool]]:
    """The table's rows, and whether each keeps the budget."""
    for page, measured in sorted(found.items()):
        cells, kept = [page], True
        for name in names:
            ordered = sorted(measured.times.get(name, ()))
            if not ordered:
                cells += ["—", "—"]
                continue
            p50, p95 = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)]
            kept &= p95 <= BUDGET_MS
            cells += [f"{p50:.1f}", f"**{p95:.1f}**" if p95 > BUDGET_MS else f"{p95:.1f}"]
        weight = measured.page_kb + measured.assets_kb
        kept &= weight <= BUDGET_KB
        yield [*cells, f"{measured.page_kb:.1f}", f"**{weight:.1f}**" if weight > BUDGET_KB else f"{weight:.1f}"], kept


@click.command()
@click.option("--rows", "count", type=click.IntRange(min=1_000), default=MESSAGES, show_default=True)
@click.option(
    "--rounds", type=click.IntRange(min=1), default=40, show_default=True, help="How often each is asked for."
)
@click.option("--database", "only", type=click.Choice(sorted(DATABASES), case_sensitive=False), help="One alone.")
@click.option("--quick", is_flag=True, help="Five thousand messages, two rounds: does it run, not how fast.")
def main(count: int, rounds: int, only: str | None, quick: bool) -> None:
    """Measure every page of the console. Exit status 1 where one misses its budget."""
    if quick:
        count, rounds = min(count, 5_000), min(rounds, 2)
    logging.disable(logging.WARNING)  # of the application that is asked for its pages alone, and has no database
    names = [only] if only else sorted(DATABASES)
    found: dict[str, Measured] = {}
    with databases(names) as (folder, postgres_url, urls):
        for url in urls.values():
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
                apart.submit(fill_database, url, count).result()
        machine = describe(folder, postgres_url, f"{count:,} messages, {min(EVENTS, count):,} events in the ledger")
        for name, url in urls.items():
            measure(name, url, folder, rounds, found)
    for key, value in machine:
        click.echo(f"- {key}: {value}")
    heads = [f"{name} {what} ms" for name in names for what in ("p50", "p95")]
    click.echo("\n" + line(["page", *heads, "page kB", "with assets kB"]))
    click.echo(line(["---", *["---:"] * (len(heads) + 2)]))
    table = list(rows(found, names))
    for cells, _ in table:
        click.echo(line(cells))
    click.echo(f"\nbudget: p95 within {BUDGET_MS:.0f} ms; gzipped, with all assets, {BUDGET_KB:.0f} kB")
    sys.exit(0 if all(kept for _, kept in table) else 1)


if __name__ == "__main__":
    main()

"""A run as people read it: in a terminal, or as Markdown for docs/performance.md."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from .contenders import Database
from .results import Promise, Row

COLUMNS = (
    "contender",
    "database",
    "replies/s",
    "× empty",
    "× ORM",
    "p50 ms",
    "p99 ms",
    "p99 × empty",
    "CPU µs/reply",
    "MB",
)
_TEXT_COLUMNS = 2

Machine = Sequence[tuple[str, str]]


def cells(row: Row) -> list[str]:
    """A row of the table, in the order of COLUMNS."""
    return [
        row.contender.name,
        "—" if row.contender.database is Database.NONE else str(row.contender.database),
        f"{row.per_second:,.0f}",
        f"{row.of_empty:.2f}",
        "—" if row.of_orm is None else f"{row.of_orm:.2f}",
        f"{row.p50_ms:.1f}",
        f"{row.p99_ms:.1f}",
        f"{row.p99_of_empty:.2f}",
        f"{row.cpu_us:.0f}",
        f"{row.memory_mb:.0f}",
    ]


def warnings(table: Sequence[Row]) -> list[str]:
    """What went wrong with a contender, so that its figures are not to be trusted."""
    return [
        f"{row.contender}: {row.errors} errors, {row.lost} replies answered and not stored"
        for row in table
        if row.errors or row.lost
    ]


def show(console: Console, title: str, machine: Machine, table: Sequence[Row], promises: Sequence[Promise]) -> None:
    for name, value in machine:
        console.print(f"{name:>10}  {value}", highlight=False)
    shown = Table(title=title, title_justify="left")
    for index, name in enumerate(COLUMNS):
        shown.add_column(name, justify="left" if index < _TEXT_COLUMNS else "right")
    for row in table:
        shown.add_row(*cells(row))
    console.print(shown)
    for warning in warnings(table):
        console.print(f"[yellow]{warning}[/yellow]", highlight=False)
    for promise in promises:
        verdict = "[green]met   [/green]" if promise.kept else "[red]missed[/red]"
        console.print(f"{verdict} {promise.text}: {promise.measured}", highlight=False)


def markdown(title: str, machine: Machine, table: Sequence[Row], promises: Sequence[Promise]) -> str:
    aligned = ["---" if index < _TEXT_COLUMNS else "---:" for index in range(len(COLUMNS))]
    return "\n".join(
        [
            f"{title}.",
            "",
            *(f"- {name}: {value}" for name, value in machine),
            "",
            line(COLUMNS),
            line(aligned),
            *(line(cells(row)) for row in table),
            "",
            *(f"**{warning}**\n" for warning in warnings(table)),
            line(["budget", "measured", ""]),
            line(["---", "---:", "---"]),
            *(line([promise.text, promise.measured, "met" if promise.kept else "**missed**"]) for promise in promises),
            "",
        ]
    )


def line(texts: Sequence[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(texts)} |"

"""What commands print: tables with colour for people, JSON lines or CSV for programs.

For people, times are China's, and no character of a stored text can move the cursor or turn the line around.
For programs, times are RFC 3339 in UTC, and nothing is lost.
"""

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import chain
from typing import Any, Literal

import click

from receiver.export.values import Row as Row
from receiver.export.values import cell, csv_cells, is_dangerous, json_line
from receiver.vocabulary import mask

Format = Literal["table", "json", "csv"]

CHINA = timezone(timedelta(hours=8), "UTC+8")
# Wide enough that nothing is cut where there is no terminal to fit.
_UNBOUNDED_WIDTH = 240
# Columns of a terminal under which a row is folded, so that ids can still be copied whole.
_NARROW = 130
_LINE_ENDS = {"\n": "↵", "\r": "␍", "\t": "→"}


@dataclass(frozen=True, slots=True)
class Column:
    """A field of the output; in tables under ``heading``, or left out where that is None."""

    name: str
    heading: str | None = None
    style: Callable[[Any], str] = lambda _value: ""
    show: Callable[[Any], str] | None = None
    fixed: bool = False
    """Never wrapped or cut."""
    widest: bool = False
    """Takes what room there is; on a narrow terminal with the columns that say ``beneath`` under it."""
    beneath: str | None = None
    """On a narrow terminal, under the widest column, with this before it."""


def format_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--format`` of every list, as the argument ``chosen_format``."""
    return click.option(
        "--format",
        "chosen_format",
        type=click.Choice(["table", "json", "csv"]),
        callback=lambda _context, _option, value: value or ("table" if sys.stdout.isatty() else "json"),
        help="table (on a terminal), json (one object per line, in a pipe) or csv.",
    )(command)


def render(rows: Iterable[Row], columns: Sequence[Column], chosen_format: Format) -> None:
    """Print ``rows``: json and csv as they come, a table when all are there."""
    if chosen_format == "table":
        _table(rows, columns)
        return
    make_encodable()
    if chosen_format == "json":
        for row in rows:
            click.echo(json_line(row, columns))
        return
    writer = csv.writer(_TerminalSafe() if sys.stdout.isatty() else sys.stdout, lineterminator="\n")
    for line in chain([[column.name for column in columns]], (csv_cells(row, columns) for row in rows)):
        writer.writerow(line)


def details(row: Row, columns: Sequence[Column], chosen_format: Format) -> None:
    """Print one row with all its fields, one below the other.

    No line is broken, however long it is: where the terminal does so, what is copied is in one piece all the same.
    """
    if chosen_format != "table":
        render([row], columns, chosen_format)
        return
    from rich.text import Text

    names = [f"{column.name} (UTC+8)" if isinstance(row[column.name], datetime) else column.name for column in columns]
    width, console = max(map(len, names)) + 1, _console()
    for name, column in zip(names, columns, strict=True):
        value = row[column.name]
        told = _cell(value, column).replace("\n", "\n" + " " * width)
        line = Text.assemble((name, "dim"), " " * (width - len(name)), (told, column.style(value)))
        console.print(line, soft_wrap=True)


def terminal_safe(text: str) -> str:
    """``text`` on one line, with what a terminal would obey instead of show made visible."""
    if text.isprintable():
        return text
    return "".join(_LINE_ENDS.get(char) or (f"\\u{ord(char):04x}" if is_dangerous(char) else char) for char in text)


def masked(row: Row, *names: str) -> dict[str, Any]:
    """``row`` with the phones in ``names`` masked, in whatever form they are written."""
    return {**row, **{name: _masked(row[name]) for name in names}}


def hint(message: str) -> None:
    """A word to whoever sits at the terminal; programs are spared it."""
    if sys.stderr.isatty():
        click.echo(click.style(message, dim=True), err=True)


def make_encodable() -> None:
    """Let standard output take every character: UTF-8 for programs, escapes where a terminal lacks one."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is None:
        return
    if sys.stdout.isatty():
        reconfigure(errors="backslashreplace")
    else:
        reconfigure(encoding="utf-8")


def _masked(phone: str | None) -> str | None:
    return phone and mask("".join(char for char in phone if char.isalnum() or char == "+"))


def _cell(value: Any, column: Column) -> str:
    if column.show is not None:
        return column.show(value)
    if isinstance(value, datetime):
        return value.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return terminal_safe(cell(value))


def _table(rows: Iterable[Row], columns: Sequence[Column]) -> None:
    from rich.table import Table

    console = _console()
    shown = [column for column in columns if column.heading is not None]
    beneath = [column for column in shown if column.beneath is not None] if console.width < _NARROW else []
    beside = [column for column in shown if column not in beneath]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0) if beneath else (0, 1))
    for column in beside:
        table.add_column(column.heading or "", no_wrap=column.fixed, overflow="fold")
    for row in rows:
        table.add_row(*[_styled_cell(row, column, beneath if column.widest else []) for column in beside])
    if table.row_count:
        console.print(table)
    else:
        hint("nothing found")


def _styled_cell(row: Row, column: Column, beneath: Sequence[Column]) -> Any:
    from rich.text import Text

    lines = [Text(_cell(row[column.name], column), style=column.style(row[column.name]))]
    for under in beneath:
        if value := _cell(row[under.name], under):
            lines.append(Text(f"{under.beneath}{value}", style=under.style(row[under.name])))
    return Text("\n").join(lines)


def _console() -> Any:
    from rich.console import Console

    make_encodable()
    return Console(highlight=False, width=None if sys.stdout.isatty() else _UNBOUNDED_WIDTH)


class _TerminalSafe:
    """Standard output for lines of CSV on a terminal."""

    def write(self, line: str) -> None:
        click.echo(terminal_safe(line.removesuffix("\n")))


def escaped(raw: bytes) -> str:
    """Bytes as text: printable ASCII as it is, the others as ``\\xNN``."""
    return "".join(_escaped(raw))


def _escaped(raw: bytes) -> Iterator[str]:
    for byte in raw:
        yield "\\\\" if byte == 0x5C else chr(byte) if 0x20 <= byte <= 0x7E else f"\\x{byte:02x}"

"""Exports: rows into JSON lines, CSV or a workbook, in constant memory, and into a file that is whole or not there."""

import codecs
import csv
import io
import os
import re
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from .output import Column, Row, cell, csv_cells, json_line, terminal_safe

# A sheet holds 1,048,576 rows, the heading included.
ROWS_OF_A_SHEET = 1_000_000
_PROGRESS_EVERY = 1_000
# What XML 1.0 can't hold or would change, and what looks as if it were escaped so already: both are written _xHHHH_
# (ECMA-376, ST_Xstring), which spreadsheets show as the character.
_NOT_XML = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")


def write(
    rows: Iterable[Row], columns: Sequence[Column], kind_of_file: str, output: Path | None, *, force: bool
) -> None:
    """Write every row to ``output``, or to standard output where that is None or ``-``."""
    to_file = output is not None and str(output) != "-"
    try:
        with replacing(output, force=force) if output and to_file else _standard_output() as stream:
            FORMATS[kind_of_file](_counted(rows), columns, stream)
    except BrokenPipeError:
        raise
    except OSError as error:
        target = output if to_file else "to standard output"
        raise click.ClickException(f"can't write {target}: {error.strerror or error}") from error


def _jsonl(rows: Iterable[Row], columns: Sequence[Column], stream: IO[bytes]) -> None:
    for row in rows:
        stream.write(json_line(row, columns).encode() + b"\n")


def _csv(rows: Iterable[Row], columns: Sequence[Column], stream: IO[bytes]) -> None:
    writer = csv.writer(codecs.getwriter("utf-8-sig")(stream))
    writer.writerow([column.name for column in columns])
    writer.writerows(csv_cells(row, columns) for row in rows)


def _xlsx(rows: Iterable[Row], columns: Sequence[Column], stream: IO[bytes]) -> None:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    workbook = Workbook(write_only=True)
    sheet: Any = None

    def text_cell(value: Any) -> Any:
        text = cell(value)
        if not text:
            return None
        made: Any = WriteOnlyCell(sheet, _NOT_XML.sub(lambda found: f"_x{ord(found[0]):04X}_", text))
        made.data_type = "s"  # text that begins with = is no formula
        return made

    for number, row in enumerate(rows):
        if number % ROWS_OF_A_SHEET == 0:
            sheet = _new_sheet(workbook, columns)
        sheet.append([text_cell(row[column.name]) for column in columns])
    if sheet is None:
        _new_sheet(workbook, columns)
    workbook.save(stream)


def _new_sheet(workbook: Any, columns: Sequence[Column]) -> Any:
    sheet = workbook.create_sheet(f"messages {len(workbook.worksheets) + 1}" if workbook.worksheets else "messages")
    sheet.freeze_panes = "A2"
    sheet.append([column.name for column in columns])
    return sheet


FORMATS: dict[str, Callable[[Iterable[Row], Sequence[Column], IO[bytes]], None]] = {
    "jsonl": _jsonl,
    "csv": _csv,
    "xlsx": _xlsx,
}


@contextmanager
def replacing(output: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """A file beside ``output`` that takes its place when the block is left without an error."""
    target = Path(os.path.realpath(output))
    if target.exists():
        if not stat.S_ISREG(target.stat().st_mode):
            raise click.ClickException(f"{output} is no regular file: leave -o away to write to standard output")
        if not force:
            raise click.ClickException(f"{output} exists: choose another name, or replace it with --force")
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


@contextmanager
def _standard_output() -> Iterator[IO[bytes]]:
    if not sys.stdout.isatty():
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    # A terminal obeys what a file would hold: it is shown instead, line by line.
    with tempfile.TemporaryFile() as held:
        yield held
        held.seek(0)
        for line in io.TextIOWrapper(held, encoding="utf-8-sig", newline="\n"):
            click.echo(terminal_safe(line.rstrip("\r\n")))


def _counted(rows: Iterable[Row]) -> Iterator[Row]:
    """``rows``, and where standard error is a terminal a count of them there."""
    if not sys.stderr.isatty():
        yield from rows
        return
    number = 0
    for number, row in enumerate(rows, 1):
        if number % _PROGRESS_EVERY == 0:
            click.echo(f"\r{number:,} exported", nl=False, err=True)
        yield row
    click.echo(f"\r{number:,} exported", err=True)

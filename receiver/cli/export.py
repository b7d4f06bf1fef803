"""Exports into a file that is whole or not there, or to standard output."""

import io
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from receiver.export import FORMATS

from .output import Column, Row, terminal_safe
from .whole_file import replacing

_PROGRESS_EVERY = 1_000


def write(
    rows: Iterable[Row], columns: Sequence[Column], kind_of_file: str, output: Path | None, *, force: bool
) -> None:
    """Write every row to ``output``, or to standard output where that is None or ``-``."""
    to_file = output is not None and str(output) != "-"
    try:
        with replacing(output, force=force) if output and to_file else _standard_output() as stream:
            for piece in FORMATS[kind_of_file](_counted(rows), columns):
                stream.write(piece)
    except BrokenPipeError:
        raise
    except OSError as error:
        target = output if to_file else "to standard output"
        raise click.ClickException(f"can't write {target}: {error.strerror or error}") from error


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

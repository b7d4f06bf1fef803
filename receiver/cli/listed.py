"""A list to import: opened, and its bad rows kept aside in a file that can be corrected and imported itself."""

import codecs
import csv
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import click

from receiver.export.values import defused
from receiver.optout.sheet import Rejected, Sheet, SheetError

file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
skip_bad_option = click.option("--skip-bad", is_flag=True, help="Import the good rows though there are bad ones.")


@contextmanager
def sheet(file: Path, needed: Sequence[str], *, plain: bool = False) -> Iterator[Sheet]:
    """The list in ``file``. What is wrong with it is said in one line."""
    try:
        with Sheet.opened(file, needed, plain=plain) as opened:
            yield opened
    except SheetError as wrong:
        raise click.ClickException(str(wrong)) from wrong


def beside(listed: Path) -> Path:
    """Where the rejected rows of a list go: list.csv.rejected.csv."""
    return listed.with_name(f"{listed.name}.rejected.csv")


def keep(rows: Iterable[Rejected], columns: Sequence[str], target: Path) -> int:
    """Write the rows, in place of those of an earlier import, and no file where there are none; how many there are.

    Like what it was made from it holds phones: it is readable by its owner alone.
    """
    remaining = iter(rows)
    first = next(remaining, None)
    if first is None:
        return 0
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise _cannot_write(target, error) from error
    try:
        with os.fdopen(handle, "wb") as stream:
            writer = csv.writer(codecs.getwriter("utf-8-sig")(stream))
            writer.writerow(["line", "problem", *columns])
            count = 0
            for row in chain([first], remaining):
                writer.writerow(_cells(row))
                count += 1
        os.replace(name, target)
    except BaseException as error:
        os.unlink(name)
        if isinstance(error, OSError):
            raise _cannot_write(target, error) from error
        raise
    return count


def forget(target: Path) -> None:
    """Remove the rejected rows of an earlier import: after one that rejected none they would be taken for its own."""
    try:
        target.unlink(missing_ok=True)
    except OSError as error:
        # All is imported: the exit status shall not say otherwise.
        why = error.strerror or error
        click.echo(f"{target} is of an earlier import, this one rejected no row; it can't be removed: {why}", err=True)


def refused(bad: int, rows: int, target: Path) -> click.ClickException:
    """The end of an import that has bad rows."""
    return click.ClickException(
        f"{bad:,} of {rows:,} rows can't be imported, and nothing was: see {target}. Correct them in the list and "
        "import it again, or import the others with --skip-bad"
    )


def _cells(row: Rejected) -> list[str]:
    return [str(row.line), row.problem, *(defused(cell.strip()) for cell in row.cells)]


def _cannot_write(target: Path, error: OSError) -> click.ClickException:
    return click.ClickException(f"can't keep the bad rows in {target}: {error.strerror or error}")

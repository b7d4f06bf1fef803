"""A list that people made, as CSV or one entry a line, read a line at a time in little memory.

UTF-8 (with or without a byte order mark) or GB18030, which spreadsheets on Chinese Windows write; separated by commas,
semicolons or tabs. One line is one row: a quote that is not closed spoils its own line, and swallows no other.
"""

import codecs
import csv
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, TypeVar

from receiver.vocabulary import phone_identity

_BLOCK = 1 << 20
_LONGEST_LINE = 1 << 16
_PROGRESS_EVERY = 1_000
_CHINA = timezone(timedelta(hours=8))
_YEARS = range(1971, 9998)
# What is no text, by how it begins, and what to do about it.
_NO_TEXT = (
    (b"PK\x03\x04", "is a workbook: save it as CSV UTF-8"),
    (b"\xd0\xcf\x11\xe0", "is a workbook: save it as CSV UTF-8"),
    (codecs.BOM_UTF16_LE, "is UTF-16: save it as CSV UTF-8"),
    (codecs.BOM_UTF16_BE, "is UTF-16: save it as CSV UTF-8"),
)

_SEPARATORS = ",;\t"
BAD_QUOTE = "has a quote that is not closed, or out of place"

Progress = Callable[[int, int], None]
_Read = TypeVar("_Read")


def silent(_done: int, _of: int) -> None:
    pass


class SheetError(Exception):
    """A file that can't be read as a list; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line that is not empty: its number, its cells as they stand, and by the name of their column (stripped).

    ``problem`` is why it can't be read.
    """

    number: int
    cells: Sequence[str]
    values: dict[str, str]
    problem: str | None = None


class BadRow(ValueError):
    """A row that can't be taken; the message says why."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that can't be taken: its line, why, and its cells as they stand."""

    line: int
    problem: str
    cells: Sequence[str]


class Sheet:
    """An open list. ``columns`` are the headings, none where it is one entry a line; ``size`` is in bytes."""

    def __init__(self, file: BinaryIO, name: str, needed: Sequence[str], *, plain: bool) -> None:
        self.name = name
        self.columns: list[str] = []
        self._file, self._needed = file, list(map(named, needed))
        self._state = _state(file)
        self.size = self._state[0]
        self.sha256, self._charset = self._survey()
        self._separator = ","
        self._heading = 0
        self._read_heading(plain)

    @classmethod
    @contextmanager
    def opened(cls, path: Path, needed: Sequence[str], *, plain: bool = False) -> Iterator["Sheet"]:
        """The list in ``path``, which must have the columns ``needed``, or where ``plain`` may have no heading.

        Raises SheetError, OSError.
        """
        with path.open("rb") as file:
            # It is read several times over.
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SheetError(f"{path.name} is no regular file: write the list into one")
            yield cls(file, os.fsencode(path.name).decode(errors="replace"), needed, plain=plain)

    def rows(self, progress: Progress = silent) -> Iterator[Row]:
        """Every row from the first on. Raises SheetError where the file was changed since it was opened."""
        for count, (number, text, problem) in enumerate(self._lines()):
            if count % _PROGRESS_EVERY == 0:
                self._refuse_changed()
                progress(self._file.tell(), self.size)
            if number <= self._heading or is_empty(text):
                continue
            yield self._row(number, text, problem)
        self._refuse_changed()
        progress(self.size, self.size)

    def read(self, reader: Callable[[Row], _Read], progress: Progress = silent) -> Iterator[_Read | Rejected]:
        """Every row as ``reader`` reads it, which raises BadRow. Raises SheetError."""
        return judged(self.rows(progress), reader)

    def _row(self, number: int, text: str, problem: str | None) -> Row:
        cells = cells_of(text, self._separator) if problem is None else None
        if cells is None:
            return Row(number, [text], {}, problem or BAD_QUOTE)
        columns = self.columns or self._needed
        if any(cell.strip() for cell in cells[len(columns) :]):
            return Row(number, cells, {}, f"has {len(cells)} cells where the heading has {len(columns)}")
        return Row(number, cells, {name: cell.strip() for name, cell in zip(columns, cells, strict=False)})

    def _lines(self) -> Iterator[tuple[int, str, str | None]]:
        """Each line: its number, its text, and what is wrong with it."""
        self._file.seek(0)
        number = 0
        while raw := self._file.readline(_LONGEST_LINE):
            number += 1
            if len(raw) == _LONGEST_LINE and not raw.endswith(b"\n"):
                while (more := self._file.readline(_LONGEST_LINE)) and not more.endswith(b"\n"):
                    pass
                yield number, raw[:200].decode(self._charset, "replace"), "is longer than any row could be"
                continue
            try:
                text, problem = raw.decode(self._charset), None
            except UnicodeDecodeError:
                text, problem = raw.decode(self._charset, "replace"), "is neither UTF-8 nor GB18030"
            yield number, text.rstrip("\r\n").removeprefix("\ufeff" if number == 1 else ""), problem

    def _survey(self) -> tuple[str, str]:
        """The file's SHA-256 and charset: UTF-8 where all of it is, else GB18030."""
        digest, decoder, charset = sha256(), codecs.getincrementaldecoder("utf-8")(), "utf-8"
        first = True
        while block := self._file.read(_BLOCK):
            refuse_no_text(block, self.name, first=first)
            first = False
            digest.update(block)
            charset = _still(charset, decoder, block)
        return digest.hexdigest(), _still(charset, decoder, b"", final=True)

    def _read_heading(self, plain: bool) -> None:
        lines = ((number, text, problem) for number, text, problem in self._lines() if not is_empty(text))
        for number, text, problem in lines:
            self._separator = separator_of(text)
            heading = [named(cell) for cell in cells_of(text, self._separator) or ()]
            missing = [name for name in self._needed if name not in heading]
            if not missing and problem is None:
                if len(set(filter(None, heading))) < len(list(filter(None, heading))):
                    raise SheetError(f"the heading of {self.name} has a column twice: {', '.join(heading)}")
                self.columns, self._heading = heading, number
                if next(lines, None) is None:
                    raise SheetError(f"{self.name} has a heading and no row beneath it: there is nothing to import")
            elif not plain or len(heading) > 1 or not any(map(str.isdigit, text)):
                raise SheetError(
                    f"{self.name} has no column {' and '.join(missing or self._needed)}: its first line is the "
                    f"heading and has {', '.join(heading) or 'nothing that can be read'}"
                )
            return
        raise SheetError(f"{self.name} is empty: there is nothing to import")

    def _refuse_changed(self) -> None:
        if _state(self._file) != self._state:
            raise SheetError(f"{self.name} was changed while it was read: begin again")


def judged(rows: Iterable[Row], reader: Callable[[Row], _Read]) -> Iterator[_Read | Rejected]:
    """Every row as ``reader`` reads it, which raises BadRow."""
    for row in rows:
        try:
            if row.problem is not None:
                raise BadRow(row.problem)
            read: _Read | Rejected = reader(row)
        except BadRow as bad:
            read = Rejected(row.number, str(bad), row.cells)
        yield read


def refuse_no_text(block: bytes, name: str, *, first: bool) -> None:
    """Raise SheetError where ``block``, the file's ``first`` or a later one, is of no text."""
    for beginning, problem in _NO_TEXT if first else ():
        if block.startswith(beginning):
            raise SheetError(f"{name} {problem}")
    if b"\0" in block:
        raise SheetError(f"{name} is no text: save it as CSV UTF-8")


def is_empty(line: str) -> bool:
    """Whether a line is no row: a spreadsheet writes the separators of empty cells too."""
    return not line.strip(f" {_SEPARATORS}")


def separator_of(line: str) -> str:
    """What parts the cells of a list by its first line."""
    return max(_SEPARATORS, key=line.count)


def cells_of(line: str, separator: str) -> list[str] | None:
    """The cells of one line as they stand; None where a quote is not closed, or out of place (BAD_QUOTE)."""
    try:
        [cells] = csv.reader([line], delimiter=separator, strict=True)
    except (csv.Error, ValueError):
        return None
    return cells


def named(heading: str) -> str:
    """A column's name as it is compared."""
    return heading.strip().casefold()


def phone_in(row: Row, column: str, region: str) -> str:
    """The E.164 form of the phone in a row. Raises BadRow."""
    written = row.values.get(column, "")
    identity = phone_identity(written, region)
    if identity is None:
        raise BadRow("is no phone number: write it like 13912345678 or +8613912345678" if written else "has no phone")
    return identity


def since_in(row: Row) -> datetime | None:
    """The moment in a row's column ``since``: ISO 8601, of China where it names no zone, and past. Raises BadRow."""
    written = row.values.get("since", "")
    if not written:
        return None
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        found = None
    if found is None or found.year not in _YEARS:
        raise BadRow("since is no date or time: write it like 2025-06-03 or 2025-06-03T17:00")
    since = (found if found.tzinfo is not None else found.replace(tzinfo=_CHINA)).astimezone(UTC)
    if since > datetime.now(UTC):
        raise BadRow("since lies in the future")
    return since


def _still(charset: str, decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool = False) -> str:
    if charset == "utf-8":
        try:
            decoder.decode(block, final)
        except UnicodeDecodeError:
            return "gb18030"
    return charset


def _state(file: BinaryIO) -> tuple[int, int]:
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns

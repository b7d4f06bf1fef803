"""Lists in the body of a request: what they may be, and what of them is bad."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from tempfile import TemporaryFile
from typing import Any, Protocol

from flask import request
from pydantic import BaseModel, ConfigDict, Field

from receiver.optout.imports import Listed
from receiver.optout.json_lines import JsonLines
from receiver.optout.register import Unexplained
from receiver.optout.sheet import Progress, Rejected, Sheet, SheetError

from . import problems

MOST_NAMED = 1_000
"""Bad lines that an answer names; a problem names fewer."""

_MOST_IN_PROBLEM = 50
_CSV, _LINES = "text/csv", "application/x-ndjson"
# Bytes, which need not be UTF-8; tools that make clients know them by this format.
_BYTES = {"type": "string", "format": "binary"}
_NAME = "the body"


class ListQuery(BaseModel):
    """How a list is imported."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = Field(False, description="true: show what would become of it, and change nothing")
    skip_bad: bool = Field(False, description="true: import the good lines though there are bad ones")


class BadLine(BaseModel):
    """A line that can't be imported."""

    line: int = Field(description="Its number, the heading's being 1", examples=[3])
    problem: str = Field(examples=["is no phone number: write it like 13912345678 or +8613912345678"])


class ImportedList(BaseModel):
    """What became of a list."""

    dry_run: bool = Field(description="true: it would become so, and nothing was changed", examples=[False])
    rows: int = Field(description="Lines that are no heading and not empty", examples=[3])
    rejected: int = Field(description="Bad lines", examples=[1])
    bad: list[BadLine] = Field(description=f"The bad lines, the first {MOST_NAMED:,} of them")


class _Checked(Protocol):
    @property
    def rows(self) -> int: ...

    def check(self, progress: Progress = ...) -> Iterator[Rejected]: ...


def described(csv: str, lines: str) -> Mapping[str, Any]:
    """The bodies that a route takes, as OpenAPI Media Type Objects with these examples."""
    return {_CSV: {"schema": _BYTES, "example": csv}, _LINES: {"schema": _BYTES, "example": lines}}


@contextmanager
def listed(needed: Sequence[str], further: Sequence[str], *, plain: bool = False) -> Iterator[Listed]:
    """The list in the body, with the columns ``needed``; JSON lines may have ``further`` members that are read.

    Where it is none that can be imported, or nobody says why, the problem says so.
    """
    content = request.get_data()
    try:
        if request.mimetype == _LINES:
            yield JsonLines(content, _NAME, [*needed, *further])
            return
        with TemporaryFile() as file:
            file.write(content)
            file.seek(0)
            yield Sheet(file, _NAME, needed, plain=plain)
    except (SheetError, Unexplained) as wrong:
        raise problems.Rejected(problems.REFUSED, str(wrong)) from None


def checked(wanted: _Checked, query: ListQuery) -> tuple[int, list[BadLine]]:
    """How many lines are bad, and the first of them; a problem where that stops the others. Raises SheetError."""
    found = wanted.check()
    bad = named(islice(found, MOST_NAMED))
    rejected = len(bad) + sum(1 for _ in found)
    if rejected and not query.skip_bad and not query.dry_run:
        raise problems.Rejected(
            problems.REFUSED,
            f"{rejected:,} of {wanted.rows:,} lines can't be imported, and nothing was: correct them, or import the "
            "others with skip_bad=true",
            errors=[(f"line {each.line}", each.problem) for each in bad[:_MOST_IN_PROBLEM]],
        )
    return rejected, bad


def named(lines: Iterator[Rejected]) -> list[BadLine]:
    """Lines as an answer names them."""
    return [BadLine(line=each.line, problem=each.problem) for each in lines]

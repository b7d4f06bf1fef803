"""A list of phones to send to, read from a file or a pipe: one a line, or a column of CSV."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from receiver.optout.sheet import (
    BAD_QUOTE,
    BadRow,
    SheetError,
    cells_of,
    is_empty,
    named,
    refuse_no_text,
    separator_of,
)

_FEWEST_DIGITS = 7
# Lines that a refusal names.
_NAMED = 5
_PHONE_HEADINGS = frozenset(
    ["phone", "phones", "phone number", "mobile", "msisdn", "number", "tel", "telephone", "手机", "手机号", "手机号码",
     "号码", "电话", "电话号码", "联系电话"]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Given:
    """Phones as they are written; ``places`` is where in a list one stands first."""

    phones: list[str] = field(repr=False)
    places: dict[str, str] = field(repr=False)


def given(to: Sequence[str], listed: str | None) -> Given:
    """The phones of ``--to`` and of ``--to-file`` (``-`` is standard input). Raises UsageError."""
    if not all(phone.strip() for phone in to):
        raise click.UsageError("a --to is empty: name a phone")
    lines = [] if listed is None else _listed(listed)
    places = {phone: f"line {number}" for number, phone in reversed(lines)}
    return Given([*to, *(phone for _, phone in lines)], places)


def text_of(text: str | None, file: Path | None) -> str:
    """The text of ``--text`` or ``--text-file``, without the line end that a file ends with. Raises UsageError."""
    if (text is None) == (file is None):
        raise click.UsageError("say what to send: --text or --text-file")
    if text is not None:
        return text
    assert file is not None
    return _decoded(_bytes(str(file)), str(file)).removesuffix("\n").removesuffix("\r")


def _listed(name: str) -> list[tuple[int, str]]:
    """The phones of a list with their lines: none is passed over that has something in it. Raises UsageError."""
    shown = "standard input" if name == "-" else name
    # Line ends alone part lines: no quote swallows the next one.
    lines = _decoded(_bytes(name), shown).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    entries = [(number, line) for number, line in enumerate(lines, 1) if not is_empty(line)]
    if not entries:
        return []
    # In a phone written with spaces, brackets or a plus there is none of these.
    separator = separator_of(entries[0][1])
    rows = [(number, cells_of(line, separator)) for number, line in entries]
    headings = _headings(rows[0][1] or [], shown)
    found, wrong = [], []
    for number, cells in rows if headings is None else rows[1:]:
        try:
            found.append((number, _phone(cells, headings)))
        except BadRow as bad:
            wrong.append(f"line {number} {bad}")
    if wrong:
        more = f"; and {len(wrong) - _NAMED:,} more" if len(wrong) > _NAMED else ""
        raise click.UsageError(f"{shown}: {'; '.join(wrong[:_NAMED])}{more}. Nobody was texted: correct the list")
    return found


def _headings(cells: list[str], shown: str) -> list[str] | None:
    """The first line as headings, one of them of the phones; None where it is an entry itself. Raises UsageError."""
    headings = list(map(named, cells))
    of_phones = sum(heading in _PHONE_HEADINGS for heading in headings)
    if of_phones == 1:
        return headings
    if of_phones or (cells and not any(char.isdigit() for char in "".join(cells))):
        raise click.UsageError(
            f"{shown}: the first line is neither a phone nor a heading with one column phone. Nobody was texted: "
            "correct the list"
        )
    return None


def _phone(cells: list[str] | None, headings: list[str] | None) -> str:
    """The phone in a line, as it is written. Raises BadRow."""
    if cells is None:
        raise BadRow(BAD_QUOTE)
    if headings is None:
        if any(map(_is_like_a_phone, cells[1:])):
            raise BadRow("has more than one phone: write one a line, or a heading that names the column phone")
        place = 0
    else:
        if any(cell.strip() for cell in cells[len(headings) :]):
            raise BadRow(f"has {len(cells)} cells where the heading has {len(headings)}")
        place = next(place for place, heading in enumerate(headings) if heading in _PHONE_HEADINGS)
    phone = cells[place].strip() if place < len(cells) else ""
    if not phone:
        raise BadRow("has no phone")
    return phone


def _is_like_a_phone(cell: str) -> bool:
    return sum(char.isdigit() for char in cell) >= _FEWEST_DIGITS and not any(char.isalpha() for char in cell)


def _bytes(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise click.UsageError(f"can't read {name}: {error.strerror or error}") from error


def _decoded(raw: bytes, name: str) -> str:
    try:
        refuse_no_text(raw, name, first=True)
    except SheetError as wrong:
        raise click.UsageError(str(wrong)) from wrong
    for charset in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(charset)
        except UnicodeDecodeError:
            continue
    raise click.UsageError(f"{name} is no text in UTF-8 or GB18030: save it as one of them")

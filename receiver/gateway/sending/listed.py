"""Phones out of a list that people made, one a line or a column of CSV: no line is passed over."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from receiver.optout.sheet import BAD_QUOTE, SheetError, cells_of, is_empty, named, refuse_no_text, separator_of

_FEWEST_DIGITS = 7
# Lines that a refusal names.
_NAMED = 5
_PHONE_HEADINGS = frozenset(
    ["phone", "phones", "phone number", "mobile", "msisdn", "number", "tel", "telephone", "手机", "手机号", "手机号码",
     "号码", "电话", "电话号码", "联系电话"]
)  # fmt: skip


class Fault(StrEnum):
    """What is wrong with a list or a line of it, for who says it in other words than the message's."""

    NO_TEXT = "no-text"
    CHARSET = "charset"
    HEADING = "heading"
    LINES = "lines"
    """Some lines; the others are of one."""
    QUOTE = "quote"
    CELLS = "cells"
    SEVERAL = "several"
    NO_PHONE = "no-phone"


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line out of which no phone can be read; ``problem`` says why, in words that follow it."""

    number: int
    fault: Fault
    problem: str


class BadList(Exception):
    """A list that can't be taken as a whole; the message says why. ``lines`` are all bad ones."""

    def __init__(self, message: str, fault: Fault, lines: Sequence[BadLine] = ()) -> None:
        super().__init__(message)
        self.fault, self.lines = fault, tuple(lines)


class _Bad(Exception):
    def __init__(self, fault: Fault, problem: str) -> None:
        self.fault, self.problem = fault, problem


def listed(raw: bytes, name: str) -> list[tuple[int, str]]:
    """The phones of a list as they are written, each with its line. Raises BadList, which calls the list ``name``."""
    # Line ends alone part lines: no quote swallows the next one.
    lines = decoded(raw, name).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    entries = [(number, line) for number, line in enumerate(lines, 1) if not is_empty(line)]
    if not entries:
        return []
    # In a phone written with spaces, brackets or a plus there is none of these.
    separator = separator_of(entries[0][1])
    rows = [(number, cells_of(line, separator)) for number, line in entries]
    headings = _headings(rows[0][1] or [], name)
    found, wrong = [], []
    for number, cells in rows if headings is None else rows[1:]:
        try:
            found.append((number, _phone(cells, headings)))
        except _Bad as bad:
            wrong.append(BadLine(number, bad.fault, bad.problem))
    if wrong:
        told = "; ".join(f"line {line.number} {line.problem}" for line in wrong[:_NAMED])
        more = f"; and {len(wrong) - _NAMED:,} more" if len(wrong) > _NAMED else ""
        raise BadList(f"{name}: {told}{more}. Nobody was texted: correct the list", Fault.LINES, wrong)
    return found


def decoded(raw: bytes, name: str) -> str:
    """A file's text. Raises BadList."""
    try:
        refuse_no_text(raw, name, first=True)
    except SheetError as wrong:
        raise BadList(str(wrong), Fault.NO_TEXT) from wrong
    for charset in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(charset)
        except UnicodeDecodeError:
            continue
    raise BadList(f"{name} is no text in UTF-8 or GB18030: save it as one of them", Fault.CHARSET)


def _headings(cells: list[str], name: str) -> list[str] | None:
    """The first line as headings, one of them of the phones; None where it is an entry itself. Raises BadList."""
    headings = list(map(named, cells))
    of_phones = sum(heading in _PHONE_HEADINGS for heading in headings)
    if of_phones == 1:
        return headings
    if of_phones or (cells and not any(char.isdigit() for char in "".join(cells))):
        raise BadList(
            f"{name}: the first line is neither a phone nor a heading with one column phone. Nobody was texted: "
            "correct the list",
            Fault.HEADING,
        )
    return None


def _phone(cells: list[str] | None, headings: list[str] | None) -> str:
    """The phone in a line, as it is written. Raises _Bad."""
    if cells is None:
        raise _Bad(Fault.QUOTE, BAD_QUOTE)
    if headings is None:
        if any(map(_is_like_a_phone, cells[1:])):
            raise _Bad(
                Fault.SEVERAL, "has more than one phone: write one a line, or a heading that names the column phone"
            )
        place = 0
    else:
        if any(cell.strip() for cell in cells[len(headings) :]):
            raise _Bad(Fault.CELLS, f"has {len(cells)} cells where the heading has {len(headings)}")
        place = next(place for place, heading in enumerate(headings) if heading in _PHONE_HEADINGS)
    phone = cells[place].strip() if place < len(cells) else ""
    if not phone:
        raise _Bad(Fault.NO_PHONE, "has no phone")
    return phone


def _is_like_a_phone(cell: str) -> bool:
    return sum(char.isdigit() for char in cell) >= _FEWEST_DIGITS and not any(char.isalpha() for char in cell)

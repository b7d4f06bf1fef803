"""A list of phones to send to, read from a file or a pipe: one a line, or a column of CSV."""

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

_DELIMITERS = ",;\t"
_FEWEST_DIGITS = 7
_PHONE_HEADINGS = frozenset(
    ["phone", "phones", "phone number", "mobile", "msisdn", "number", "tel", "telephone", "手机", "手机号", "手机号码",
     "号码", "电话", "电话号码", "联系电话"]
)  # fmt: skip


def phones(given: Sequence[str], listed: str | None) -> list[str]:
    """The phones of ``--to`` and of ``--to-file`` (``-`` is standard input), as they are written.

    Raises UsageError, ClickException.
    """
    return [*(phone for phone in given if phone.strip()), *(() if listed is None else _listed(listed))]


def text_of(text: str | None, file: Path | None) -> str:
    """The text of ``--text`` or ``--text-file``, without the line end that a file ends with. Raises UsageError."""
    if (text is None) == (file is None):
        raise click.UsageError("say what to send: --text or --text-file")
    if text is not None:
        return text
    assert file is not None
    return _decoded(_bytes(str(file)), str(file)).removesuffix("\n").removesuffix("\r")


def _listed(name: str) -> Iterator[str]:
    """The phones of a list: no line is passed over that has something in it. Raises ClickException."""
    shown = "standard input" if name == "-" else name
    # Line ends alone part lines: no quote swallows the next one.
    lines = [line.rstrip("\r") for line in _decoded(_bytes(name), shown).split("\n")]
    entries = [(number, line) for number, line in enumerate(lines, 1) if line.strip(f" {_DELIMITERS}")]
    if not entries:
        return
    # In a phone written with spaces, brackets or a plus there is none of these.
    delimiter = max(_DELIMITERS, key=entries[0][1].count)
    column = _heading(_cells(*entries[0], delimiter, shown), shown)
    for number, line in entries if column is None else entries[1:]:
        cells = _cells(number, line, delimiter, shown)
        if column is None and any(_is_like_a_phone(cell) for cell in cells[1:]):
            raise click.ClickException(
                f"line {number} of {shown} has more than one phone, and nobody was texted: write one a line, or a "
                "heading that says which column has them: phone"
            )
        place = column or 0
        if place >= len(cells) or not cells[place]:
            raise click.ClickException(f"line {number} of {shown} has no phone, and nobody was texted: correct it")
        yield cells[place]


def _heading(cells: list[str], shown: str) -> int | None:
    """Which column has the phones by the first line; None where that is an entry itself. Raises ClickException."""
    named = [place for place, cell in enumerate(cells) if cell.casefold() in _PHONE_HEADINGS]
    if len(named) == 1:
        return named[0]
    if named or not any(char.isdigit() for char in "".join(cells)):
        raise click.ClickException(
            f"the first line of {shown} is neither a phone nor a heading with one column phone, and nobody was texted: "
            "correct it"
        )
    return None


def _cells(number: int, line: str, delimiter: str, shown: str) -> list[str]:
    try:
        [cells] = csv.reader([line], delimiter=delimiter, strict=True)
    except (csv.Error, ValueError):
        raise click.ClickException(
            f"line {number} of {shown} has a quote that is not closed, or out of place, and nobody was texted: "
            "correct it"
        ) from None
    return [cell.strip() for cell in cells]


def _is_like_a_phone(cell: str) -> bool:
    return sum(char.isdigit() for char in cell) >= _FEWEST_DIGITS and not any(char.isalpha() for char in cell)


def _bytes(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise click.ClickException(f"can't read {name}: {error.strerror or error}") from error


def _decoded(raw: bytes, name: str) -> str:
    for charset in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(charset)
        except UnicodeDecodeError:
            continue
    raise click.ClickException(f"{name} is no text in UTF-8 or GB18030: save it as one of them")

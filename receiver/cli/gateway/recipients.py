"""A list of phones to send to, read from a file or a pipe: one a line, or the first column of CSV."""

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

_DELIMITERS = ",;\t"


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
    lines = _decoded(_bytes(name), "standard input" if name == "-" else name).splitlines()
    first = next((line for line in lines if line.strip()), "")
    # In one written with spaces, brackets or a plus there is none of these.
    delimiter = next((char for char in _DELIMITERS if char in first), ",")
    heading = not any(char.isdigit() for char in first)
    rows = csv.reader(lines, delimiter=delimiter)
    found = [row[0].strip() for row in rows if row and row[0].strip()]
    return iter(found[1:] if heading else found)


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

"""Whom and what to send, as a command is given it: in arguments, files and pipes."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from receiver.gateway.sending.listed import BadList, decoded, listed


@dataclass(frozen=True, slots=True)
class Given:
    """Phones as they are written; ``places`` is where in a list one stands first."""

    phones: list[str] = field(repr=False)
    places: dict[str, str] = field(repr=False)


def given(to: Sequence[str], name: str | None) -> Given:
    """The phones of ``--to`` and of ``--to-file``, which is ``name`` (``-`` is standard input). Raises UsageError."""
    if not all(phone.strip() for phone in to):
        raise click.UsageError("a --to is empty: name a phone")
    try:
        lines = [] if name is None else listed(_bytes(name), "standard input" if name == "-" else name)
    except BadList as wrong:
        raise click.UsageError(str(wrong)) from wrong
    places = {phone: f"line {number}" for number, phone in reversed(lines)}
    return Given([*to, *(phone for _, phone in lines)], places)


def text_of(text: str | None, file: Path | None) -> str:
    """The text of ``--text`` or ``--text-file``, without the line end that a file ends with. Raises UsageError."""
    if (text is None) == (file is None):
        raise click.UsageError("say what to send: --text or --text-file")
    if text is not None:
        return text
    assert file is not None
    try:
        return decoded(_bytes(str(file)), str(file)).removesuffix("\n").removesuffix("\r")
    except BadList as wrong:
        raise click.UsageError(str(wrong)) from wrong


def _bytes(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise click.UsageError(f"can't read {name}: {error.strerror or error}") from error

"""Values as files have them: the same for every reader, and no danger to a spreadsheet or a terminal."""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from receiver.vocabulary.ledger import timestamp

Row = Mapping[Any, Any]

# What joins emoji is no danger.
_HARMLESS_FORMAT = frozenset("\u200c\u200d")
_DANGEROUS_CATEGORIES = frozenset(["Cc", "Cf", "Cs", "Zl", "Zp"])
_FORMULA_STARTS = tuple("=+-@\t\r\n'＝＋－＠")
# Where a spreadsheet that parts cells otherwise than by commas (half of Europe's do) would begin another one.
_BEGINS_ANOTHER = re.compile(r"(?<=[;\t\r\n])(?=[=+\-@'＝＋－＠])")
# A phone, masked or not: nothing that could be computed.
_PHONE = re.compile(r"\+[1-9][0-9*]{4,14}")


class Named(Protocol):
    """A column, as far as a file is concerned."""

    @property
    def name(self) -> str: ...


def json_line(row: Row, columns: Sequence[Named]) -> str:
    """One line of JSON, the same values for every reader; what could harm a terminal is escaped, as JSON allows."""
    plain = {column.name: _plain(row[column.name]) for column in columns}
    line = json.dumps(plain, ensure_ascii=False)
    return line if line.isprintable() else "".join(json.dumps(c)[1:-1] if is_dangerous(c) else c for c in line)


def csv_cells(row: Row, columns: Sequence[Named]) -> list[str]:
    return [defused(cell(row[column.name])) for column in columns]


def cell(value: Any) -> str:
    """A value as text: times in RFC 3339, truth as true and false, nothing as nothing."""
    plain = _plain(value)
    if isinstance(plain, bool):
        return "true" if plain else "false"
    return "" if plain is None else str(plain)


def defused(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: one that begins as one does is given a leading apostrophe.

    So is one that begins with an apostrophe, and whatever follows a semicolon, a tab or a line end so: take one away
    from wherever there is one, and have the text again. A phone in E.164 form is no formula, and stays as it is.
    """
    if _PHONE.fullmatch(text):
        return text
    return ("'" if text.startswith(_FORMULA_STARTS) else "") + _BEGINS_ANOTHER.sub("'", text)


def is_dangerous(char: str) -> bool:
    """Whether a terminal would obey a character instead of showing it, or turn the line around."""
    return unicodedata.category(char) in _DANGEROUS_CATEGORIES and char not in _HARMLESS_FORMAT


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return timestamp(value)
    return str(value) if isinstance(value, UUID) else value

"""A list as programs write it: one JSON object a line, in UTF-8, all of it in memory."""

import json
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import Any, TypeVar

from .sheet import Progress, Rejected, Row, SheetError, judged, named, silent

_LONGEST_LINE = 1 << 16

_Read = TypeVar("_Read")


class JsonLines:
    """A list of objects; those of their members that are ``wanted`` are what columns are to a sheet, and texts.

    Raises SheetError where there is none.
    """

    def __init__(self, content: bytes, name: str, wanted: Iterable[str]) -> None:
        self.name, self.sha256 = name, sha256(content).hexdigest()
        self.columns: list[str] = []
        self._wanted = frozenset(map(named, wanted))
        self._lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        if not any(map(bytes.strip, self._lines)):
            raise SheetError(f"{name} is empty: there is nothing to import")

    def read(self, reader: Callable[[Row], _Read], progress: Progress = silent) -> Iterator[_Read | Rejected]:
        """Every line as ``reader`` reads it, which raises BadRow."""
        lines = (self._row(number, line) for number, line in enumerate(self._lines, 1) if line.strip())
        return judged(lines, reader)

    def _row(self, number: int, line: bytes) -> Row:
        if len(line) > _LONGEST_LINE:
            return Row(number, [], {}, "is longer than any row could be")
        try:
            members = json.loads(line, object_pairs_hook=_Members)
        except (ValueError, RecursionError):
            return Row(number, [], {}, "is no JSON in UTF-8")
        if not isinstance(members, _Members):
            return Row(number, [], {}, 'is no object: write it like {"phone": "13912345678"}')
        values: dict[str, str] = {}
        for name, value in ((named(name), value) for name, value in members):
            if name not in self._wanted or value is None:
                continue
            if name in values:
                return Row(number, [], {}, f"has {name} twice")
            if not isinstance(value, str):
                return Row(number, [], {}, f"{name} is no text: write it in quotes")
            if "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
                return Row(number, [], {}, f"{name} has a character that can't be kept")
            values[name] = value.strip()
        return Row(number, [], values)


class _Members(list[tuple[str, Any]]):
    """The members of an object, in their order."""

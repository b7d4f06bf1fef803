"""Pages of a list that is ordered by one key: links to what is older and newer, which keep the filters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .addresses import with_query

Row = TypeVar("Row")
Key = TypeVar("Key")
_OLDER, _NEWER = "older", "newer"


def place(query: Mapping[str, str], key: Callable[[str], Key]) -> tuple[Key | None, Key | None]:
    """Where a page begins, as its address says: (older than, newer than); what can't be read is the first page.

    ``key`` reads a row's key, and raises ValueError for what is none.
    """
    read = []
    for name in (_OLDER, _NEWER):
        try:
            read.append(key(query[name]) if name in query else None)
        except ValueError:
            read.append(None)
    older, newer = read
    return older, None if older is not None else newer


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """The rows to show, and where the pages beside them are; None where there is none."""

    rows: Sequence[Row]
    older: str | None
    newer: str | None

    @classmethod
    def of(cls, found: Sequence[Row], limit: int, *, older: Any, newer: Any, key: Callable[[Row], Any]) -> "Page[Row]":
        """The page of ``found``, which was asked for with ``limit`` + 1 rows, newest first."""
        has_more = len(found) > limit
        # The surplus row is at the far end of the way that was walked.
        rows = found[-limit:] if newer is not None and has_more else found[:limit]
        if not rows:
            return cls(rows, None, None)
        has_older = has_more if newer is None else True
        has_newer = has_more if newer is not None else older is not None
        return cls(
            rows,
            with_query(newer=None, older=key(rows[-1])) if has_older else None,
            with_query(older=None, newer=key(rows[0])) if has_newer else None,
        )

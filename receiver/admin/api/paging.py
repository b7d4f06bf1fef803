"""Cursors and pages: a walk through a list skips and repeats no row that was there when it began."""

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from .problems import Rejected, invalid

LARGEST_PAGE, USUAL_PAGE = 500, 50
LONGEST_CURSOR = 500
_OLDER, _NEWER = "older", "newer"

Item = TypeVar("Item")
Row = TypeVar("Row")


# ["older", "0197b7a2-7b7a-7b7a-8b7a-7b7a7b7a7b7a"]
_EXAMPLE_CURSOR = "WyJvbGRlciIsICIwMTk3YjdhMi03YjdhLTdiN2EtOGI3YS03YjdhN2I3YTdiN2EiXQ"


class Page(BaseModel, Generic[Item]):
    """A page of a list, newest first."""

    items: list[Item]
    next: str | None = Field(
        description="The cursor of the next older page; null where there is none", examples=[_EXAMPLE_CURSOR]
    )
    previous: str | None = Field(
        description="The cursor of the page of what is newer than this one; null where empty",
        examples=[_EXAMPLE_CURSOR],
    )


class PageQuery(BaseModel):
    """What every list takes."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(USUAL_PAGE, ge=1, le=LARGEST_PAGE, description="Rows of a page at most")
    cursor: str | None = Field(
        None,
        max_length=LONGEST_CURSOR,
        description="`next` or `previous` of another page, with the same filters",
        json_schema_extra={"format": "cursor"},
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: behind ``older_than``, or before ``newer_than``; neither: at the newest row."""

    older_than: Any = None
    newer_than: Any = None


def place(cursor: str | None, key: Callable[[Any], Any]) -> Place:
    """What ``cursor`` says; ``key`` reads a row's key out of it and raises ValueError for what is none.

    Raises Rejected.
    """
    if cursor is None:
        return Place()
    try:
        direction, written = json.loads(urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
        value = key(written)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, binascii.Error, RecursionError):
        direction = value = None
    if direction not in (_OLDER, _NEWER) or value is None:
        raise invalid("cursor", "this is no cursor of this list: take `next` or `previous` of a page as it is")
    return Place(older_than=value) if direction == _OLDER else Place(newer_than=value)


def uuid_key(written: Any) -> UUID:
    """The key of lists that are ordered by id."""
    if not isinstance(written, str):
        raise ValueError
    return UUID(written)


def text_key(written: Any) -> str:
    """The key of lists that are ordered by a text."""
    if not isinstance(written, str) or "\x00" in written:
        raise ValueError
    written.encode()  # half a character is no text that a database takes
    return written


def paged(
    found: Sequence[Row], at: Place, limit: int, *, key: Callable[[Row], Any], shown: Callable[[Row], Any]
) -> dict[str, Any]:
    """The page of ``found``, which was asked for with ``limit`` + 1 rows at ``at``, newest first."""
    more = len(found) > limit
    # The surplus row is at the far end of the way that was walked.
    rows = found[-limit:] if at.newer_than is not None and more else found[:limit]
    has_older = more if at.newer_than is None else bool(rows)
    return {
        "items": [shown(row) for row in rows],
        "next": _cursor(_OLDER, key(rows[-1])) if rows and has_older else None,
        "previous": _cursor(_NEWER, key(rows[0])) if rows else None,
    }


def _cursor(direction: str, key: Any) -> str:
    written = str(key) if isinstance(key, UUID) else key
    return urlsafe_b64encode(json.dumps([direction, written]).encode()).decode().rstrip("=")


__all__ = ["LARGEST_PAGE", "Page", "PageQuery", "Place", "Rejected", "paged", "place", "text_key", "uuid_key"]

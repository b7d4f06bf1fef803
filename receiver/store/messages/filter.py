"""Which messages are asked for, as conditions of a statement and as a look at one message."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, func

from receiver.vocabulary import Kind, Origin, earliest_id
from receiver.vocabulary.terms import folded

from ..feed import NOBODY
from ..ranges import SLACK, received
from ..tables import messages

LAST = UUID(int=(1 << 128) - 1)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which messages: those that meet every condition given.

    ``src`` and ``dst`` are exact (``src`` an identity where it is a phone); ``text`` is a substring, letter case and
    width aside (vocabulary.terms).
    """

    src: str | None = None
    dst: str | None = None
    text: str | None = None
    kind: Kind | None = None
    origin: Origin | None = None
    since: datetime | None = None
    until: datetime | None = None
    duplicates: bool | None = None
    service: str | None = None


def matching(chosen: Filter) -> Callable[[Any], bool]:
    """Whether a message meets every condition, told without the database."""
    has_text = fits(chosen)
    exact = {
        name: value
        for name in ("src", "dst", "kind", "origin", "service")
        if (value := getattr(chosen, name)) is not None
    }

    def meets(row: Any) -> bool:
        return (
            all(row[name] == value for name, value in exact.items())
            and (chosen.duplicates is None or (row["duplicate_of"] is not None) == chosen.duplicates)
            and (chosen.since is None or row["received_at"] >= chosen.since)
            and (chosen.until is None or row["received_at"] < chosen.until)
            and has_text(row)
        )

    return meets


def fits(chosen: Filter) -> Callable[[RowMapping], bool]:
    """Whether the text is one that was asked for: neither database could tell alike what letters are the same."""
    if chosen.text is None:
        return lambda _row: True
    needle = folded(chosen.text)
    return lambda row: needle in folded(row["text"])


def bounds(chosen: Filter) -> tuple[UUID, UUID]:
    """Between which ids messages are that were received when it was asked for."""
    low = NOBODY if chosen.since is None else earliest_id(chosen.since - SLACK)
    return low, LAST if chosen.until is None else earliest_id(chosen.until + SLACK)


def conditions(chosen: Filter, *, plainly: bool = False) -> Iterator[ColumnElement[bool]]:
    """All but the text; ``plainly`` in a way that no index serves."""
    for name in ("src", "dst", "kind", "origin", "service"):
        value = getattr(chosen, name)
        if value is not None:
            yield (unindexed(name) if plainly else messages.c[name]) == value
    if chosen.duplicates is not None:
        yield messages.c.duplicate_of.is_not(None) if chosen.duplicates else messages.c.duplicate_of.is_(None)
    if not plainly:
        yield from received(messages, chosen.since, chosen.until)
        return
    if chosen.since is not None:
        yield messages.c.received_at >= chosen.since
    if chosen.until is not None:
        yield messages.c.received_at < chosen.until


def unindexed(name: str) -> Any:
    """A column as an expression, for which no index serves."""
    return func.coalesce(messages.c[name], messages.c[name], type_=messages.c[name].type)

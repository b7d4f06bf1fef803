"""Statements that read messages: one, a page of a list, or all that match as a stream."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, RowMapping, select

from receiver.vocabulary import Kind, Origin

from .ranges import received
from .tables import messages

# A message as lists, exports and the API show it; its raw bytes and peer are for whoever looks into one.
FIELDS = (
    "id", "received_at", "origin", "kind", "src", "src_wire", "dst", "text", "charset", "charset_certain",
    "duplicate_of", "gateway_id", "sent_at", "service",
)  # fmt: skip
_SHOWN = [messages.c[name] for name in FIELDS]
# Rows that are fetched at a time by whoever reads them all.
_FETCHED = 500


@dataclass(frozen=True, slots=True)
class Filter:
    """Which messages: those that meet every condition given.

    ``src`` and ``dst`` are exact (``src`` an identity where it is a phone), ``text`` is a substring, letter case aside.
    """

    src: str | None = None
    dst: str | None = None
    text: str | None = None
    kind: Kind | None = None
    origin: Origin | None = None
    since: datetime | None = None
    until: datetime | None = None
    duplicates: bool | None = None


def page(connection: Connection, chosen: Filter, *, after: UUID | None = None, limit: int) -> Sequence[RowMapping]:
    """The newest ``limit`` messages, or the newest of those older than ``after``."""
    statement = select(*_SHOWN).where(*_conditions(chosen)).order_by(messages.c.id.desc()).limit(limit)
    if after is not None:
        statement = statement.where(messages.c.id < after)
    return connection.execute(statement).mappings().all()


def stream(connection: Connection, chosen: Filter) -> Generator[RowMapping, None, None]:
    """Every message, newest first, in as little memory for a million as for one; close it when stopping early."""
    statement = select(*_SHOWN).where(*_conditions(chosen)).order_by(messages.c.id.desc())
    with connection.execute(statement, execution_options={"yield_per": _FETCHED}) as result:
        yield from result.mappings()


def get(connection: Connection, message_id: UUID) -> RowMapping | None:
    """One message with all that is known of it."""
    return connection.execute(select(messages).where(messages.c.id == message_id)).mappings().one_or_none()


def _conditions(chosen: Filter) -> Iterator[ColumnElement[bool]]:
    for name in ("src", "dst", "kind", "origin"):
        value = getattr(chosen, name)
        if value is not None:
            yield messages.c[name] == value
    if chosen.text is not None:
        yield messages.c.text.icontains(chosen.text, autoescape=True)
    if chosen.duplicates is not None:
        yield messages.c.duplicate_of.is_not(None) if chosen.duplicates else messages.c.duplicate_of.is_(None)
    yield from received(messages, chosen.since, chosen.until)

"""Reads messages in the order of their ids: by an index that has it, or by the index of terms, whichever is shorter."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select

from receiver.vocabulary import Kind, Origin
from receiver.vocabulary.terms import folded

from .. import feed, search
from ..feed import NOBODY
from ..tables import messages
from .filter import LAST, Filter, bounds, conditions, fits, unindexed

# A message as lists, exports and the API show it; its raw bytes and peer are for whoever looks into one.
FIELDS = (
    "id", "received_at", "origin", "kind", "src", "src_wire", "dst", "text", "charset", "charset_certain",
    "duplicate_of", "gateway_id", "sent_at", "service",
)  # fmt: skip
COLUMNS = [messages.c[name] for name in FIELDS]
"""``FIELDS`` as columns, for statements of others."""
# Rows that are fetched at a time by whoever reads them all.
_FETCHED = 500
# Messages that may wait to be indexed, and are looked through one by one. With more, all are.
_MOST_WAITING = 20_000
# Messages of one sender that are looked through one by one.
_MOST_OF_A_SENDER = 2_000


@dataclass(frozen=True, slots=True)
class _Range:
    """Ids from ``low`` on and before ``high``, walked from the one end or the other."""

    low: UUID
    high: UUID
    newest_first: bool

    def behind(self, last: UUID) -> "_Range":
        """What is left of it behind ``last``."""
        if self.newest_first:
            return _Range(self.low, last, True)
        return _Range(UUID(int=last.int + 1), self.high, False)


def page(
    connection: Connection,
    chosen: Filter,
    *,
    older_than: UUID | None = None,
    newer_than: UUID | None = None,
    limit: int,
) -> Sequence[RowMapping]:
    """At most ``limit`` messages, newest first: the newest, those that follow ``older_than``, or those before
    ``newer_than``.
    """
    low, high = bounds(chosen)
    if newer_than is not None:
        found = list(islice(_walk(connection, chosen, _Range(max(low, _next(newer_than)), high, False), limit), limit))
        return found[::-1]
    if older_than is not None:
        high = min(high, older_than)
    return list(islice(_walk(connection, chosen, _Range(low, high, True), limit), limit))


def stream(connection: Connection, chosen: Filter) -> Generator[RowMapping, None, None]:
    """Every message, newest first, in as little memory for a million as for one; close it when stopping early."""
    if chosen.text is None and not _needs_terms(chosen):
        statement = select(*COLUMNS).where(*conditions(chosen)).order_by(messages.c.id.desc())
        with connection.execute(statement, execution_options={"yield_per": _FETCHED}) as result:
            yield from result.mappings()
        return
    yield from _walk(connection, chosen, _Range(*bounds(chosen), True), _FETCHED)


def count(connection: Connection, chosen: Filter) -> int | None:
    """How many messages match; None where a text is looked for, which only reading them all could tell."""
    if chosen.text is not None:
        return None
    return connection.scalar(select(func.count()).select_from(messages).where(*conditions(chosen)))


def get(connection: Connection, message_id: UUID) -> RowMapping | None:
    """One message with all that is known of it."""
    return connection.execute(select(messages).where(messages.c.id == message_id)).mappings().one_or_none()


def _walk(connection: Connection, chosen: Filter, span: _Range, at_once: int) -> Iterator[RowMapping]:
    """The messages of a range in its order, fetched ``at_once`` at a time."""
    if not (_needs_terms(chosen) or _is_a_busy_sender(connection, chosen)):
        yield from _scan(connection, chosen, span, at_once)
        return
    done = search.indexed_up_to(connection)
    waiting = _waiting(connection, chosen, done, span)
    if waiting is None:
        yield from _scan(connection, chosen, span, at_once)
        return
    seen = {row["id"] for row in waiting}
    indexed = (row for row in _by_terms(connection, chosen, span, at_once) if row["id"] not in seen)
    yield from merge(waiting, indexed, key=lambda row: row["id"], reverse=span.newest_first)


def _scan(connection: Connection, chosen: Filter, span: _Range, at_once: int) -> Iterator[RowMapping]:
    """By an index that has the order, every row that could match looked at: for conditions that most rows meet."""
    has_text = fits(chosen)
    while True:
        order = messages.c.id.desc() if span.newest_first else messages.c.id
        statement = select(*COLUMNS).where(*conditions(chosen), *_within(span)).order_by(order).limit(at_once)
        rows = connection.execute(statement).mappings().all()
        yield from filter(has_text, rows)
        if len(rows) < at_once:
            return
        span = span.behind(rows[-1]["id"])
        at_once = max(at_once, _FETCHED)


def _by_terms(connection: Connection, chosen: Filter, span: _Range, at_once: int) -> Iterator[RowMapping]:
    """By the index of terms: only rows that have all of them are looked at."""
    terms = search.terms_for(
        needle=None if chosen.text is None else folded(chosen.text),
        src=chosen.src,
        dst=chosen.dst,
        kind=chosen.kind,
        origin=chosen.origin,
        service=chosen.service,
        duplicates=bool(chosen.duplicates),
    )
    has_text = fits(chosen)
    while True:
        found = search.ids(
            connection, terms, low=span.low, high=span.high, newest_first=span.newest_first, limit=at_once
        )
        ids = list(islice(found, at_once))
        if not ids:
            return
        statement = select(*COLUMNS).where(messages.c.id.in_(ids), *conditions(chosen))
        rows = filter(has_text, connection.execute(statement).mappings().all())
        yield from sorted(rows, key=lambda row: row["id"], reverse=span.newest_first)
        if len(ids) < at_once:
            return
        span = span.behind(ids[-1])
        at_once = max(at_once, _FETCHED)


def _waiting(connection: Connection, chosen: Filter, done: feed.Place, span: _Range) -> Sequence[RowMapping] | None:
    """What matches among the messages that are not indexed yet, in order; None where too many wait.

    The newest ones come in by the moment: who asks sees them whether the index has them or not.
    """
    behind = select(messages.c.id).where(feed.behind(connection, done)).limit(_MOST_WAITING + 1)
    count = connection.scalar(select(func.count()).select_from(behind.subquery())) or 0
    if count > _MOST_WAITING:
        return None
    if count == 0:
        return []
    # Through the index of positions: an order by id would have the planner walk all ids for these few.
    unordered = select(*COLUMNS).where(
        feed.behind(connection, done), *_within(span, plainly=True), *conditions(chosen, plainly=True)
    )
    rows = filter(fits(chosen), connection.execute(unordered).mappings().all())
    return sorted(rows, key=lambda row: row["id"], reverse=span.newest_first)


def _needs_terms(chosen: Filter) -> bool:
    """Whether no index but that of terms has what is wanted in order, or nearly."""
    if chosen.src is not None:
        return False
    is_rare = chosen.text is not None or chosen.service is not None or bool(chosen.duplicates)
    is_rare = is_rare or (chosen.origin is not None and chosen.origin != Origin.PUSH)
    return is_rare or (chosen.dst is not None and chosen.kind == Kind.UNSUBSCRIBE)


def _is_a_busy_sender(connection: Connection, chosen: Filter) -> bool:
    """Whether a text is looked for in so many messages of one sender that the index of terms is the shorter way."""
    if chosen.src is None or chosen.text is None:
        return False
    some = select(messages.c.id).where(messages.c.src == chosen.src).limit(_MOST_OF_A_SENDER + 1)
    return (connection.scalar(select(func.count()).select_from(some.subquery())) or 0) > _MOST_OF_A_SENDER


def _next(message_id: UUID) -> UUID:
    return UUID(int=min(message_id.int + 1, LAST.int))


def _within(span: _Range, *, plainly: bool = False) -> Iterator[ColumnElement[bool]]:
    column: Any = unindexed("id") if plainly else messages.c.id
    if span.low != NOBODY:
        yield column >= span.low
    if span.high != LAST:
        yield column < span.high

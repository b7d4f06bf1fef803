"""The range of ids in pieces: a term is another one in each, so that the newest alone may be asked."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, select, update

from ..feed import NOBODY
from ..tables import search_buckets

# Messages of a bucket. A word in each third of them is a few thousand to sort; a rare one is looked up in so many.
BUCKET = 20_000
_MASK = 0x7FFFFFFF
_LAST = UUID(int=(1 << 128) - 1)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Messages from ``low`` on and before ``high``."""

    number: int
    low: UUID
    high: UUID

    @property
    def mask(self) -> int:
        """What makes its terms others than those of every other bucket."""
        return (self.number * 0x9E3779B1) & _MASK

    def token(self, term: int) -> str:
        """The term as a word of SQLite's index, of this bucket alone."""
        # Behind a letter: in a query a bare word may not begin with a digit, nor be AND, OR or NOT.
        return f"t{term ^ self.mask:x}"

    def document(self, terms: Iterable[int]) -> str:
        """All terms of a message, as SQLite's index has them."""
        return " ".join(map(self.token, terms))


def buckets(connection: Connection) -> list[Bucket]:
    """All buckets, the oldest first. The first begins with the first id that could be, the last has no end."""
    rows = connection.execute(select(search_buckets).order_by(search_buckets.c.number)).mappings().all()
    lows = [NOBODY, *(row["first_id"] for row in rows[1:])]
    return [Bucket(row["number"], low, high) for row, low, high in zip(rows, lows, [*lows[1:], _LAST], strict=False)]


def filed(connection: Connection, rows: Sequence[Any]) -> list[tuple[Any, Bucket]]:
    """Each row with its bucket; a new one is begun where the newest is full.

    Only behind the greatest id that is in any: those which come late stay in the one that covers them.
    """
    stored = connection.execute(select(search_buckets).order_by(search_buckets.c.number)).mappings().all()
    lows = [NOBODY, *(row["first_id"] for row in stored[1:])] if stored else []
    size, last = (stored[-1]["size"], stored[-1]["last_id"]) if stored else (0, NOBODY)
    began: list[dict[str, Any]] = []
    filed: list[tuple[Any, int]] = []
    for row in rows:
        row_id = row["id"]
        if not lows or (size >= BUCKET and row_id > last):
            began.append({"number": len(lows), "first_id": row_id, "last_id": row_id, "size": 0})
            lows.append(row_id if lows else NOBODY)
            size, last = 0, row_id
        number = bisect_right(lows, row_id) - 1
        if number == len(lows) - 1:
            size, last = size + 1, max(last, row_id)
        filed.append((row, number))
    if began:
        connection.execute(insert(search_buckets), began)
    newest = search_buckets.c.number == len(lows) - 1
    connection.execute(update(search_buckets).where(newest).values(size=size, last_id=last))
    return [(row, Bucket(number, lows[number], _LAST)) for row, number in filed]


def bucket_of(known: Sequence[Bucket], message_id: UUID) -> Bucket | None:
    """The one that covers a message; none where nothing was ever indexed."""
    place = bisect_right([bucket.low for bucket in known], message_id) - 1
    return known[place] if known else None

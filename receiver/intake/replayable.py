"""Which deliveries in quarantine a replay of many takes: those of sources that would be let in today."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from receiver.store import quarantine
from receiver.store.refusals import REFUSED
from receiver.store.store import Store
from receiver.vocabulary import Reason
from receiver.vocabulary.source import Network, is_within


@dataclass(frozen=True, slots=True)
class Doors:
    """Who may call the callback today. A token is not kept, so that a wrong one stays wrong while one is needed."""

    allowed: Sequence[Network]
    token_is_needed: bool

    def would_open(self, kept: Mapping[Any, Any]) -> bool:
        """Whether a delivery's source would be let in; all were that have another reason."""
        if kept["reason"] not in REFUSED:
            return True
        right = kept["reason"] != Reason.TOKEN or not self.token_is_needed
        return right and is_within(kept["peer"], self.allowed)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of those that wait, oldest first: which to replay, how many are left out, and where to go on."""

    wanted: Sequence[UUID]
    left_out: int
    last: UUID | None
    """Newer ones than this are still to be looked at; None where there are none."""


def waiting(
    store: Store, chosen: quarantine.Filter, doors: Doors, *, newer_than: UUID | None = None, limit: int
) -> Part:
    """The oldest ``limit`` deliveries that were not replayed, or the oldest behind ``newer_than``.

    Those of refused sources may be anyone's. Who chooses by source or reason vouches for what that finds; without
    either, those are left out that would be refused today. Raises StoreError.
    """
    with store.reading() as connection:
        found = quarantine.oldest(connection, replace(chosen, replayed=False), after=newer_than, limit=limit + 1)
    rows = found[:limit]
    vouched = chosen.reason is not None or chosen.peer is not None
    wanted = [row["id"] for row in rows if vouched or doors.would_open(row)]
    return Part(wanted, len(rows) - len(wanted), rows[-1]["id"] if len(found) > limit else None)

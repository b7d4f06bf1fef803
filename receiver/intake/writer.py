"""A batch into the database: one transaction, or as many as it takes to set aside what the database refuses."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias
from urllib.parse import quote

from receiver.store.errors import Refused, StoreError, Unavailable
from receiver.store.store import Store
from receiver.vocabulary import Kind, Quarantined, Reason, Reply, Undeliverable

from .outcome import Outcome

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Probe:
    """Nothing to store: asks whether something could be."""


Item: TypeAlias = Reply | Quarantined | Probe


class Writer:
    """Writes batches for ``GroupCommit``."""

    def __init__(self, store: Store, duplicate_window: timedelta) -> None:
        self._store = store
        self._duplicate_window = duplicate_window

    def write(self, batch: Sequence[Item]) -> list[Outcome]:
        """An outcome for each item; never raises for what the database does."""
        try:
            self._record(batch)
        except Unavailable as failure:
            plain = [item for item in batch if not _is_stop(item)]
            if plain and len(plain) < len(batch):
                # The register may be locked by somebody: that is no reason to refuse who says no stop.
                outcomes = iter(self.write(plain))
                return [Outcome.UNAVAILABLE if _is_stop(item) else next(outcomes) for item in batch]
            _log.error("%d not stored: the database is unavailable: %s", len(batch), failure)
            return [Outcome.UNAVAILABLE] * len(batch)
        except Refused as failure:
            if len(batch) == 1:
                return [self._set_aside(batch[0], failure)]
            middle = len(batch) // 2
            return [*self.write(batch[:middle]), *self.write(batch[middle:])]
        return [Outcome.STORED] * len(batch)

    def _record(self, batch: Sequence[Item]) -> None:
        replies = [item for item in batch if isinstance(item, Reply)]
        quarantined = [item for item in batch if isinstance(item, Quarantined)]
        if replies or quarantined:
            self._store.record(replies, quarantined, self._duplicate_window)
        else:
            self._store.probe()

    def _set_aside(self, item: Item, failure: Refused) -> Outcome:
        # The driver's words may quote the row: the log gets the id alone.
        if not isinstance(item, Reply):
            _log.error("the database refuses a quarantined delivery or a probe")
            return Outcome.REFUSED
        _log.error("the database refuses reply %s: quarantined", item.id)
        try:
            self._store.record([], [_quarantined(item, failure)], self._duplicate_window)
        except StoreError as again:
            _log.error("reply %s could not be quarantined either", item.id)
            return Outcome.REFUSED if isinstance(again, Refused) else Outcome.UNAVAILABLE
        return Outcome.QUARANTINED


def _is_stop(item: Item) -> bool:
    if isinstance(item, Reply):
        return item.delivery.kind is Kind.UNSUBSCRIBE
    return isinstance(item, Quarantined) and item.undeliverable.unsubscribes is not None


def _quarantined(reply: Reply, failure: Refused) -> Quarantined:
    said = reply.delivery
    raw = b"src=" + _escaped(said.src_wire) + b"&dst=" + _escaped(said.dst) + b"&msg=" + said.raw
    unsubscribes = said.src if _is_stop(reply) else None
    detail = f"the database refused it: {str(failure).partition(':')[0]}"
    return Quarantined(
        reply.id, reply.received_at, reply.peer, Undeliverable(Reason.STORAGE, detail, raw, unsubscribes)
    )


def _escaped(value: str) -> bytes:
    return quote(value).encode()

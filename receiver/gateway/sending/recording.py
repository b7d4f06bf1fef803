"""What became of a batch, on record though the database is away for a while."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from receiver import tally
from receiver.gateway.client import Concern, GatewayError, Refusal
from receiver.store import send_batches, send_endings
from receiver.store.errors import StoreError
from receiver.store.send_batches import Claimed
from receiver.store.sends import Transaction
from receiver.store.store import Store

from .answer import Fate, storable, storable_code
from .retrying import written
from .rules import Clock

_log = logging.getLogger(__name__)

_WITHIN, _EVERY = timedelta(seconds=30), timedelta(seconds=1)
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=5)


class Recorder:
    """Writes down what the gateway answered to a batch, or that it was never asked."""

    def __init__(
        self, store: Store, *, clock: Clock, monotonic: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._store = store
        self._clock, self._monotonic, self._sleep = clock, monotonic, sleep

    def record(self, batch: Claimed, found: dict[str, Fate], error: GatewayError | None) -> None:
        """Record what became of each recipient, and count it. Raises StoreError: the batch is in doubt then."""
        code = storable_code(error.code) if isinstance(error, Refusal) else None
        detail = None if error is None else storable(str(error))
        phones_of: dict[Fate, list[str]] = {}
        for phone, fate in found.items():
            phones_of.setdefault(fate, []).append(phone)
        _count(phones_of, error)

        def record(connection: Transaction) -> bool:
            groups = [(phones, fate.values()) for fate, phones in phones_of.items()]
            known = send_batches.answered(connection, batch, groups, now=self._clock(), code=code, detail=detail)
            if isinstance(error, Refusal) and error.meaning.concerns is Concern.ACCOUNT:
                # The rest would fail alike, and a wrong password that is tried again may lock the account.
                send_endings.refuse_queued(connection, batch.send_id, error.code, f"not tried: {detail}", self._clock())
            return known

        if not self._persistently(record):
            _log.warning("send %s: batch %d was settled before its answer came", batch.send_id, batch.number)
        summary = {str(fate.state): len(phones) for fate, phones in phones_of.items()}
        _log.info("send %s: batch %d: %s", batch.send_id, batch.number, summary)

    def _persistently(self, record: Callable[[Transaction], bool]) -> bool:
        """Record an answer though the database is away for a while: without it the batch ends in doubt."""
        ends = self._monotonic() + _WITHIN.total_seconds()
        while True:
            try:
                return written(self._store, record)
            except StoreError as failure:
                if self._monotonic() >= ends:
                    _log.error("a batch's answer can't be recorded, it will be in doubt: %s", failure)
                    raise
            self._sleep(_EVERY.total_seconds())

    def give_back(self, batch: Claimed, detail: str, *, is_failure: bool = False) -> None:
        """Queue it again: behind others, and after a wait that grows, where it most likely fails again.

        Raises StoreError.
        """
        moment = self._clock()
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(batch.attempts, 10))
        not_before = moment + wait if is_failure else None

        def give_back(connection: Transaction) -> bool:
            send_batches.give_back(
                connection,
                batch,
                now=moment,
                not_before=not_before,
                attempts=batch.attempts + is_failure,
                detail=detail,
            )
            return True

        self._persistently(give_back)


def _count(phones_of: Mapping[Fate, Sequence[str]], error: GatewayError | None) -> None:
    for fate, phones in phones_of.items():
        tally.SENT.of(fate.state).add(len(phones))
    if error is None:  # else the call as a whole was refused, and is counted as that (receiver.gateway.calls)
        for code in {fate.code for fate in phones_of if fate.code}:
            tally.code_of(code).add()

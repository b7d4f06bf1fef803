"""From a queued batch to the gateway's answer: claimed, guarded once more, called once, recorded; never sent twice.

The connection is made first. Then a batch is claimed in one transaction, which holds the ledger's lock while it asks
the guard: a stop that was answered before this commit is seen, one that is answered after it came later than the send
began. Then comes the one call, which needs but be written. A claim without a recorded answer is in doubt once its lease
has run out, whoever finds it: nobody sends it again.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from receiver.gateway.client import (
    Concern,
    Gateway,
    GatewayError,
    InDoubt,
    Line,
    NotSent,
    NotTaken,
    Refusal,
    Unsendable,
)
from receiver.store import send_batches
from receiver.store.send_batches import Claimed
from receiver.store.sends import State
from receiver.store.store import Store

from .answer import Fate, fates
from .claim import claimed
from .expire import DIED, expire
from .recipients import wire_form
from .recording import Recorder
from .retrying import written
from .rules import Clock, is_ahead, now

_log = logging.getLogger(__name__)

# A call may start so long after the guard was asked; a process that was frozen for longer asks again.
START_WITHIN = timedelta(seconds=5)
# Past the time that a call takes at most: to begin it, and to record its answer while the database is away.
_LEASE_MARGIN = timedelta(seconds=60)
# A turn of ``run_once`` starts no further call after this.
_TURN = timedelta(seconds=10)
# Batches in doubt one after the other, after which a send is not gone on with.
_MOST_IN_DOUBT = 3
_WAIT_FOR_OTHERS = timedelta(seconds=0.5)

_FROZEN = "not sent: the process was held up after it had asked the guard"
_UNKNOWN_STOPS = "not sent: replies wait or lie damaged in this machine's spool, and an unsubscribe may be among them"
_INTERRUPTED = "not sent: the process was ended before its call"
_TOO_LATE = "not sent: its time had come before it could be handed to the gateway, which would have sent it at once"


@dataclass(frozen=True, slots=True)
class Turn:
    """One batch that was dealt with, and the error that its call ended with."""

    error: GatewayError | None = None


class _HeldUp(NotSent):
    """What the guard answered is no longer to be relied on: it is asked again."""


class Dispatcher:
    """Sends what is queued. Any number of them, in any number of processes, may share a database."""

    def __init__(
        self,
        store: Store,
        gateway: Gateway,
        *,
        region: str,
        is_clear: Callable[[], bool] = lambda: True,
        clock: Clock = now,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store, self._gateway, self._region = store, gateway, region
        # Whether no unsubscribe waits on this machine that the register does not know yet.
        self._is_clear = is_clear
        self._longest_call = timedelta(seconds=gateway.timeout)
        self._clock, self._monotonic, self._sleep = clock, monotonic, sleep
        self._recorder = Recorder(store, clock=clock, monotonic=monotonic, sleep=sleep)

    def run_once(self, *, stopped: Callable[[], bool] = lambda: False) -> int:
        """Put in doubt what others have left, then send what is due, for about ten seconds; how many batches.

        Raises the GatewayError after which the next ones would most likely fare alike: of a batch that was not sent, is
        in doubt, or refused for the account's sake, and recorded by then; or of a gateway that can't be reached, for
        which none was claimed. Raises StoreError: nothing is sent then.
        """
        with self._store.reading() as connection:
            # No write transaction where there is nothing to do: on SQLite that would hold up replies.
            if not send_batches.due(connection, self._clock()):
                return 0
        handled = expire(self._store, clock=self._clock)
        ends = self._monotonic() + _TURN.total_seconds()
        while not stopped() and self._monotonic() < ends and (turn := self.turn()) is not None:
            handled += 1
            if turn.error is not None and stops(turn.error):
                raise turn.error
        return handled

    def run_send(
        self,
        send_id: UUID,
        progress: Callable[[int, int], None] = lambda _done, _of: None,
        *,
        stopped: Callable[[], bool] = lambda: False,
    ) -> GatewayError | None:
        """Send all batches of one send that are due, and wait for those that others send, as long as a call takes.

        ``progress`` gets how many recipients are dealt with, of how many; ``stopped`` is asked before each batch.
        The error for which it was given up early, the rest being queued still: nothing could be sent, or three
        batches one after the other are in doubt. Raises StoreError: nothing more is sent then.
        """
        doubtful, waited = 0, timedelta(0)
        while not stopped():
            self._tell(send_id, progress)
            try:
                turn = self.turn(send_id)
            except GatewayError as unreached:
                return unreached
            if turn is None:
                expire(self._store, clock=self._clock)
                if waited > self._longest_call + START_WITHIN or not self._unfinished(send_id):
                    return None
                self._sleep(_WAIT_FOR_OTHERS.total_seconds())
                waited += _WAIT_FOR_OTHERS
                continue
            doubtful = doubtful + 1 if isinstance(turn.error, InDoubt) else 0
            if isinstance(turn.error, NotSent) or doubtful == _MOST_IN_DOUBT:
                return turn.error
        return None

    def turn(self, send_id: UUID | None = None) -> Turn | None:
        """Send the next batch that is due, of one send or of all; None where there is none.

        Raises GatewayError where the gateway can't be reached, and where unsubscribes wait in the spool: no batch is
        claimed then. Raises StoreError.
        """
        with self._store.reading() as connection:
            if not send_batches.claimable(connection, self._clock(), send_id):
                return None
        if not self._is_clear():
            raise NotSent(_UNKNOWN_STOPS)
        # To connect may take as long as a call. Done now, that is not between the guard's answer and the first byte.
        with self._gateway.connect() as line:
            began = self._monotonic(), self._clock()
            lease = self._longest_call + _LEASE_MARGIN
            batch = written(
                self._store,
                lambda connection: claimed(
                    connection, moment=began[1], lease=lease, region=self._region, send_id=send_id
                ),
            )
            if batch is None:
                return None
            return self._send(line, batch, began) if batch.phones else Turn()

    def _is_late(self, asked: tuple[float, datetime]) -> bool:
        """Whether it is too long ago that the guard was asked, by the monotonic and the wall clock."""
        # Both clocks: one stands still while the machine sleeps, the other may be set.
        within = START_WITHIN.total_seconds()
        return self._monotonic() - asked[0] > within or self._clock() - asked[1] > START_WITHIN

    def _send(self, line: Line, batch: Claimed, asked_at: tuple[float, datetime]) -> Turn:
        asked = [identity for identity, _ in batch.phones]
        error: GatewayError | None = None
        may_have_left = False

        def ready() -> None:
            nonlocal may_have_left
            if self._is_late(asked_at):
                raise _HeldUp(_FROZEN)
            if not self._is_clear():
                raise _HeldUp(_UNKNOWN_STOPS)
            may_have_left = True

        try:
            if batch.at is not None and not is_ahead(batch.at, self._clock()):
                raise Unsendable(_TOO_LATE)
            wires = [wire for identity in asked if (wire := wire_form(identity)) is not None]
            answer = line.send(wires, batch.text, at=batch.at, sender=batch.sender, long=batch.is_long, ready=ready)
            found = fates(asked, answer)
        except (_HeldUp, NotTaken) as again:
            _log.warning("send %s: batch %d goes back: %s", batch.send_id, batch.number, again)
            self._recorder.give_back(batch, str(again))
            return Turn()
        except NotSent as failure:
            self._recorder.give_back(batch, str(failure), is_failure=True)
            return Turn(failure)
        except Refusal as refusal:
            error, found = refusal, dict.fromkeys(asked, Fate(State.REFUSED, refusal.code, refusal.message or None))
        except Unsendable as wrong:
            error, found = wrong, dict.fromkeys(asked, Fate(State.REFUSED, None, str(wrong)))
        except GatewayError as failure:
            error, found = failure, dict.fromkeys(asked, Fate(State.IN_DOUBT, None, str(failure)))
        except BaseException:
            # Somebody ends this process, or the fault is ours.
            if may_have_left:
                self._recorder.record(batch, dict.fromkeys(asked, Fate(State.IN_DOUBT, None, DIED)), None)
            else:
                self._recorder.give_back(batch, _INTERRUPTED, is_failure=True)
            raise
        self._recorder.record(batch, found, error)
        return Turn(error)

    def _unfinished(self, send_id: UUID) -> bool:
        with self._store.reading() as connection:
            return send_batches.unfinished(connection, self._clock(), send_id)

    def _tell(self, send_id: UUID, progress: Callable[[int, int], None]) -> None:
        with self._store.reading() as connection:
            progress(*send_batches.dealt_with(connection, send_id))


def stops(error: GatewayError) -> bool:
    """Whether the next batch would most likely fare as badly: then it is better not tried now."""
    if isinstance(error, Refusal):
        return error.meaning.concerns is Concern.ACCOUNT
    return isinstance(error, NotSent | InDoubt)

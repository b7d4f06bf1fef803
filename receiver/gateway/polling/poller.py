"""Pulls replies one after the other, each on disk before anything else, and the gateway never asked too early (§5).

A read is destructive: the gateway marks a reply as read by handing it out. So nothing is asked for that could not be
kept, and what was handed out is on disk before anything else is done. Between the last byte's arrival and that is a
moment that nobody can close; a kill in it loses one reply, and so does an answer that is lost on its way.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from receiver.gateway.client import Fetched, InDoubt, Refusal, Unreadable, parse_reply
from receiver.tally import code_of
from receiver.vocabulary import new_id

from .answer import Answer
from .drain import Became, Drain
from .errors import CannotSpool
from .spool import Spool

_log = logging.getLogger(__name__)

# Seconds from an answer to the next call: more than 5, whatever is lost in rounding.
APART = 5.5
# Seconds that a lease is longer than the longest call and the rest after it. To store what was pulled takes less.
SLACK = 10.0
# Seconds for which it is sure that a lease just renewed is ours. Longer we may have been suspended.
_FRESH = 2.0

Wait = Callable[[float], bool]
"""Wait so many seconds; whether we are to stop."""


def lease_seconds(timeout: float, apart: float = APART, *, first: bool = True) -> float:
    """How long a poller that dies may have been waiting for an answer, and the rest that the gateway asks for.

    With its first call the client may ask for the balance twice, to see which method the gateway takes.
    """
    return timeout * (3 if first else 1) + apart + SLACK


class Asked(Protocol):
    """The gateway, as far as it is asked for replies. A call takes ``timeout`` seconds at most."""

    timeout: float

    def fetch_reply(self) -> Fetched: ...


class Turn(Protocol):
    """The lease that makes this the account's only poller, across processes and machines."""

    def rest(self, apart: float) -> float:
        """Seconds until ``apart`` have certainly passed since the last answer that another poller got."""

    def renew(self, seconds: float, *, well: bool = False, detail: str | None = None) -> None:
        """Keep it for so many seconds from now. Raises where it is lost."""


class Poller:
    """One account's poller. ``now`` is a steady clock in seconds, ``clock`` tells the time of reading."""

    def __init__(
        self,
        gateway: Asked,
        spool: Spool,
        drain: Drain,
        *,
        account: str,
        charset: str,
        apart: float = APART,
        now: Callable[[], float] = time.monotonic,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._gateway = gateway
        self._spool = spool
        self._drain = drain
        self._account = account
        self._charset = charset
        self._apart = apart
        self._now = now
        self._clock = clock
        self._answered_at = now()
        self._has_asked = False
        self._unkept: Answer | None = None
        self.became: Counter[Became] = Counter()
        """What was pulled since this was made, and what became of it."""

    @property
    def told(self) -> str:
        """How it goes, in a line for people."""
        pulled = sum(self.became[each] for each in (Became.REPLY, Became.UNSUBSCRIBE, Became.QUARANTINED))
        told = f"{pulled:,} pulled since this poller started"
        for count, what in ((len(self._spool.waiting()), "waiting"), (self._spool.corrupt(), "corrupt")):
            if count:
                told += f"; {count} {what} in {self._spool.folder}"
        return told

    def run(self, turn: Turn, wait: Wait, *, until_empty: bool = False) -> None:
        """Pull until ``wait`` says to stop, or nothing is unread where it is ``until_empty``.

        Raises GatewayError, PollingError, StoreError, OSError, and what ``turn`` raises.
        """
        try:
            self._run(turn, wait, until_empty=until_empty)
        finally:
            self._spool.release()

    def _run(self, turn: Turn, wait: Wait, *, until_empty: bool) -> None:
        well = False
        resting = turn.rest(self._apart)
        while not (resting > 0 and wait(resting)):
            self._make_ready()
            began = self._now()
            seconds = lease_seconds(self._gateway.timeout, self._apart, first=not self._has_asked)
            turn.renew(seconds, well=well, detail=self.told)
            if self._now() - began > _FRESH:
                resting = 0.0
                continue
            if wait(0):
                return
            something = self._pull()
            well = True
            if until_empty and not something:
                return
            resting = max(0.0, self._apart - (self._now() - self._answered_at))

    def _make_ready(self) -> None:
        """Prove that what will be read can be kept. Raises CannotSpool, CannotStore, StoreError."""
        if self._unkept is not None:
            self._keep(self._unkept)
        try:
            self._spool.reserve()
        except OSError as failure:
            raise CannotSpool(
                f"{self._spool.folder} can't be written: {failure.strerror or failure}. No reply is pulled"
            ) from failure
        self.became += self._drain.run()

    def _pull(self) -> bool:
        """Ask once; whether there was a reply."""
        wrong: Exception | None = None
        try:
            fetched = self._gateway.fetch_reply()
        except Unreadable as failure:
            fetched, wrong = Fetched(failure.body, whole=False), failure
        except InDoubt:
            _log.warning("a call to pull a reply got no answer: if the gateway handed one out, it is lost")
            raise
        finally:
            self._answered_at = self._now()
        self._has_asked = True
        read_at = self._clock()
        if wrong is None:
            try:
                if parse_reply(fetched.body, self._charset, whole=fetched.whole) is None:
                    return False
            except Refusal as refusal:
                code_of(refusal.code).add()
                raise
            except Exception as failure:  # even were the fault ours: what can't be read is kept above all
                wrong = failure
        if fetched.body:
            self._keep(Answer(new_id(), read_at, self._account, self._charset, fetched.body, fetched.whole))
            self.became += self._drain.run()
        if wrong is not None:
            raise wrong
        return True

    def _keep(self, answer: Answer) -> None:
        """Have it on disk, or else at once in the database. Raises CannotSpool where no more may be read."""
        self._unkept = answer
        try:
            self._spool.keep(answer)
        except OSError as failure:
            what = f"{self._spool.folder} can't be written: {failure.strerror or failure}"
            _log.error("%s; a pulled reply goes straight to the database", what)
            became = self._drain.take(answer)
            self.became[became] += 1
            if became is Became.LEFT:
                raise CannotSpool(f"{what}, nor can the database. A pulled reply is in memory alone") from failure
            self._unkept = None
            raise CannotSpool(f"{what}. No more is pulled") from failure
        self._unkept = None

"""From a parsed delivery to durable: the one way in for replies, however they came."""

import logging
import time
from datetime import UTC, datetime, timedelta

from receiver import tally
from receiver.store.store import Store
from receiver.vocabulary import Delivery, Kind, Origin, Quarantined, Reply, Undeliverable, new_id

from .acknowledgements import Acknowledgements
from .fallback import Fallback
from .group_commit import GroupCommit, Host
from .outcome import Outcome
from .refusals import Refusals
from .spool import Draining, Spool
from .writer import Item, Probe, Writer

_log = logging.getLogger(__name__)

# Seconds that a transaction may take while so many wait that no more are let in: past them the database hangs.
_STUCK = 1.0
# Where a reply is counted: by its origin, whether it unsubscribes, and whether its charset is certain.
_REPLIES = {
    origin: tuple(
        tuple(tally.REPLIES.of(origin, kind, charset) for charset in ("uncertain", "certain"))
        for kind in (Kind.REPLY, Kind.UNSUBSCRIBE)
    )
    for origin in Origin
}


class Intake:
    """Accepts deliveries for one process. ``host`` says how its waiters run (``group_commit.Host``).

    With a ``spool`` what the database does not take in time is durable there, and is stored from there. Without one it
    is ``UNAVAILABLE``.
    """

    def __init__(
        self,
        store: Store,
        *,
        duplicate_window: timedelta,
        timeout: float,
        max_waiting: int,
        host: Host | None = None,
        spool: Spool | None = None,
    ) -> None:
        writer = Writer(store, duplicate_window)
        self._commits: GroupCommit[Item] = GroupCommit(
            writer.write, tally.Commits.of("database"), max_waiting=max_waiting, timeout=timeout, host=host
        )
        self._fallback: Fallback | None = None
        if spool is not None:
            self._fallback = Fallback(
                spool,
                lambda wait: Draining(spool, store, duplicate_window, wait),
                is_stuck=self._is_stuck,
                max_waiting=max_waiting,
                timeout=timeout,
                host=host,
            )
        self._refusals = Refusals(store)
        self._acknowledgements = Acknowledgements(store)

    def accept(self, delivery: Delivery, *, origin: Origin = Origin.PUSH, peer: str | None = None) -> Outcome:
        """Store a reply; its unsubscribe is in force when this returns STORED. How long that took is measured."""
        began = time.perf_counter()
        outcome = self.store(Reply(new_id(), datetime.now(UTC), origin, peer, delivery))
        if outcome is Outcome.STORED:
            self._acknowledgements.note(time.perf_counter() - began)
        return outcome

    def quarantine(self, undeliverable: Undeliverable, *, peer: str | None = None) -> Outcome:
        """Keep what can't be accepted, and honour the unsubscribe in it where there is one."""
        made = Quarantined(new_id(), datetime.now(UTC), peer, undeliverable)
        outcome = self.store(made)
        said = "quarantined" if outcome is Outcome.STORED else "not stored"
        _log.info("%s a delivery from %s as %s: %s", said, peer, made.id, undeliverable.reason)
        return outcome

    def store(self, made: Reply | Quarantined) -> Outcome:
        """As the two above, for what has its id and its time already: storing the same again changes nothing."""
        outcome = self._stored(made)
        if outcome is Outcome.STORED:
            _count(made)
        return outcome

    def _stored(self, made: Reply | Quarantined) -> Outcome:
        fallback = self._fallback
        if fallback is None:
            return self._commits.submit(made)
        if fallback.is_away:
            outcome = fallback.keep(made)
            # Where the spool fails, the database may be back.
            return self._commits.submit(made) if outcome is Outcome.UNAVAILABLE and not self._is_stuck() else outcome
        outcome = self._commits.submit(made)
        if outcome is Outcome.UNAVAILABLE or (outcome is Outcome.BUSY and self._is_stuck()):
            # The database may store it all the same, later: with the same id, and so once.
            return fallback.take_over(made)
        return outcome

    def refuse(self, undeliverable: Undeliverable, *, peer: str) -> None:
        """Count a delivery from a source that may not call us; keep it if there is room. Waits for nothing."""
        self._refusals.note(peer, undeliverable)

    def is_ready(self) -> bool:
        """Whether a reply could be made durable now; asks the database, and where it is away the spool."""
        is_away = self._fallback is not None and self._fallback.is_away
        if not is_away and self._commits.submit(Probe()) is Outcome.STORED:
            return True
        return self._fallback is not None and self._fallback.has_room()

    def _is_stuck(self) -> bool:
        return self._commits.seconds_in_write > _STUCK

    def flush(self) -> None:
        """Write what was noted besides. For the end of a process whose waiters were answered."""
        if self._fallback is not None:
            self._fallback.close()
        self._refusals.close()
        self._acknowledgements.close()

    def close(self) -> None:
        """Write what waits and stop. For processes whose waiters are threads."""
        self._commits.close()
        self.flush()


def _count(made: Reply | Quarantined) -> None:
    if isinstance(made, Reply):
        said = made.delivery
        _REPLIES[made.origin][said.kind is Kind.UNSUBSCRIBE][said.charset_certain].add()
    else:
        tally.QUARANTINED.of(made.undeliverable.reason).add()

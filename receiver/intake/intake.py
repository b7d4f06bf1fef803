"""From a parsed delivery to durable: the one way in for replies, however they came."""

import time
from datetime import UTC, datetime, timedelta

from receiver.store.store import Store
from receiver.vocabulary import Delivery, Origin, Quarantined, Reply, Undeliverable, new_id

from .acknowledgements import Acknowledgements
from .group_commit import GroupCommit, Host
from .outcome import Outcome
from .refusals import Refusals
from .writer import Item, Probe, Writer


class Intake:
    """Accepts deliveries for one process. ``host`` says how its waiters run (``group_commit.Host``)."""

    def __init__(
        self, store: Store, *, duplicate_window: timedelta, timeout: float, max_waiting: int, host: Host | None = None
    ) -> None:
        writer = Writer(store, duplicate_window)
        self._commits: GroupCommit[Item] = GroupCommit(
            writer.write, max_waiting=max_waiting, timeout=timeout, host=host
        )
        self._refusals = Refusals(store)
        self._acknowledgements = Acknowledgements(store)

    def accept(self, delivery: Delivery, *, origin: Origin = Origin.PUSH, peer: str | None = None) -> Outcome:
        """Store a reply; its unsubscribe is in force when this returns STORED. How long that took is measured."""
        began = time.perf_counter()
        outcome = self._commits.submit(Reply(new_id(), datetime.now(UTC), origin, peer, delivery))
        if outcome is Outcome.STORED:
            self._acknowledgements.note(time.perf_counter() - began)
        return outcome

    def quarantine(self, undeliverable: Undeliverable, *, peer: str | None = None) -> Outcome:
        """Keep what can't be accepted, and honour the unsubscribe in it where there is one."""
        return self._commits.submit(Quarantined(new_id(), datetime.now(UTC), peer, undeliverable))

    def store(self, made: Reply | Quarantined) -> Outcome:
        """As the two above, for what has its id and its time already: storing the same again changes nothing."""
        return self._commits.submit(made)

    def refuse(self, undeliverable: Undeliverable, *, peer: str) -> None:
        """Count a delivery from a source that may not call us; keep it if there is room. Waits for nothing."""
        self._refusals.note(peer, undeliverable)

    def is_ready(self) -> bool:
        """Whether a reply could be stored now; asks the database."""
        return self._commits.submit(Probe()) is Outcome.STORED

    def flush(self) -> None:
        """Write what was noted besides. For the end of a process whose waiters were answered."""
        self._refusals.close()
        self._acknowledgements.close()

    def close(self) -> None:
        """Write what waits and stop. For processes whose waiters are threads."""
        self._commits.close()
        self.flush()

"""One task in a worker, in a thread of its own: waits for its turn, runs, and tells how it went."""

import logging
import threading
import time
from collections.abc import Callable

from receiver.store.errors import StoreError

from .failure import described
from .lease import LONGEST_REST, Lease, Leases
from .task import Chore, Ran, Task, Wait

_log = logging.getLogger(__name__)

# Seconds between attempts while the database is down.
OUTAGE_RETRY = 2.0
# And after a fault of ours, which most likely meets us again.
FAULT_RETRY = 60.0


class Outage:
    """Whether the database is down for this process; said once when it begins and once when it is over."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_on = False

    def began(self, failure: StoreError) -> None:
        with self._lock:
            if not self._is_on:
                _log.warning("the database can't be used, tasks wait for it: %s", described(failure))
            self._is_on = True

    def ended(self) -> None:
        with self._lock:
            if self._is_on:
                _log.warning("the database is back, tasks go on")
            self._is_on = False


class TaskRunner:
    """Runs one shared task, when it is due and nobody else has it. Nothing that it meets ends it but ``wait``."""

    def __init__(
        self, task: Task, leases: Leases, outage: Outage, wait: Wait, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = task.name
        self._task = task
        self._leases = leases
        self._outage = outage
        self._wait = wait
        self._now = now
        self._running: Lease | None = None
        self._stuck: Lease | None = None
        # How a run ended, for as long as the database can't be told.
        self._untold: tuple[Lease, Callable[[], bool]] | None = None

    def run(self) -> None:
        """Until told to stop."""
        while not self._wait(self._step()):
            pass
        if self._untold is not None:
            self._try_to_tell()

    def watch(self) -> None:
        """Say once where a run takes longer than its lease: another worker may have taken over."""
        lease = self._running
        if lease is not None and self._now() > lease.deadline and self._stuck is not lease:
            self._stuck = lease
            _log.error("%s is stuck: it runs for longer than its lease of %.0f s", self.name, lease.seconds)

    def _step(self) -> float:
        """Do what is to be done now; seconds until the next."""
        try:
            if self._untold is not None:
                self._untold[1]()
                self._untold = None
            lease, rest = self._turn()
            if lease is not None:  # that was written: a database that is locked can be looked at all the same
                self._outage.ended()
        except StoreError as failure:
            self._outage.began(failure)
            return OUTAGE_RETRY
        except Exception as fault:
            _log.error("%s can't have its turn, again in %.0f s: %s", self.name, FAULT_RETRY, described(fault))
            return FAULT_RETRY
        if lease is None:
            return rest
        self._running = lease
        try:
            rest, told = self._ran(lease)
        finally:
            self._running = None
        self._untold = lease, told
        self._try_to_tell()
        return min(rest, self._task.look_every)

    def _turn(self) -> tuple[Lease | None, float]:
        """The task's lease, where it is our turn; else in how many seconds to look again."""
        seen = self._leases.look(self.name)
        every = self._task.look_every
        if seen.holder is not None:
            return None, min(max(seen.wait, 1.0), every)
        if seen.wait > 0 and not self._has_early_work(seen.failures):
            return None, min(seen.wait, every)
        return self._leases.claim(self.name, seen, self._task.lease), every

    def _has_early_work(self, failures: int) -> bool:
        # Where it fails, it rests as long as it was told to.
        return failures == 0 and self._task.has_work is not None and self._task.has_work()

    def _ran(self, lease: Lease) -> tuple[float, Callable[[], bool]]:
        """Run; seconds until it is due again, and how to tell the database."""
        try:
            ran: Ran = self._task.run(lease, self._wait)
        except Exception as failure:
            error = described(failure)
            hopeless = isinstance(failure, self._task.hopeless)
            rest = LONGEST_REST if hopeless else lease.rest_after_failure(self._task.retry_after)
            _log.warning("%s failed, %d in a row, again in %.0f s: %s", self.name, lease.failures + 1, rest, error)
            return rest, lambda: lease.finish(rest, error=error)
        return ran.again_after, lambda: lease.finish(ran.again_after, detail=ran.detail)

    def _try_to_tell(self) -> None:
        assert self._untold is not None
        lease, tell = self._untold
        try:
            if not tell():
                _log.warning("%s ended after its lease had run out: another worker may have it", lease.name)
            self._untold = None
        except StoreError as failure:
            self._outage.began(failure)


class ChoreRunner:
    """Runs one chore again and again. Says when it begins to fail, and when it is well again."""

    def __init__(self, chore: Chore, wait: Wait) -> None:
        self.name = chore.name
        self._chore = chore
        self._wait = wait
        self._failing: str | None = None

    def run(self) -> None:
        """Until told to stop; at least once."""
        while True:
            self._once()
            if self._wait(self._chore.every):
                return

    def watch(self) -> None:
        """No one waits for it but this machine."""

    def _once(self) -> None:
        try:
            self._chore.run()
        except Exception as failure:
            error = described(failure)
            if error != self._failing:
                _log.warning("%s fails, and is tried again each %.0f s: %s", self.name, self._chore.every, error)
            self._failing = error
            return
        if self._failing is not None:
            _log.warning("%s is well again", self.name)
        self._failing = None

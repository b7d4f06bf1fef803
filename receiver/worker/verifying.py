"""The task that works the ledger out anew once a day, so that whoever changed it is found though nobody asks."""

import time
from collections.abc import Callable

from receiver.optout.verify import Verification, verify
from receiver.store.store import Store
from receiver.store.tasks import Standing

from .following import Now
from .lease import LONGEST_REST, Lease
from .task import Ran, Task, Wait

NAME = "ledger"
_LEASE = 60.0
_EVERY = 86_400.0
# What is wrong stays so, until somebody has put back what was there.
_EVERY_WHILE_BROKEN = 3_600.0


class LedgerBroken(Exception):
    """The ledger or the register is not what was written; the message names the event, and no phone."""


class _Stopped(Exception):
    pass


def task(store: Store, *, now: Now = time.monotonic) -> Task:
    """The worker's task that verifies the ledger. It looks in more often, to be seen to live."""
    verified: tuple[float, Verification] | None = None

    def run(lease: Lease, wait: Wait) -> Ran:
        nonlocal verified
        if verified is None or now() - verified[0] >= (_EVERY if verified[1].ok else _EVERY_WHILE_BROKEN):
            try:
                verified = now(), verify(store, progress=_progress(lease, wait, now))
            except _Stopped:
                return Ran(0.0, "broken off, since the worker ends")
        at, found = verified
        if not found.ok:
            raise LedgerBroken(_problem(found))
        return Ran(LONGEST_REST, f"{found.events:,} events verified {(now() - at) / 3_600:.0f} hours ago")

    return Task(NAME, _LEASE, run, hopeless=(LedgerBroken,))


def is_broken(known: Standing) -> bool:
    """Whether this is how the task stands that has found something wrong."""
    return known.name == NAME and known.failures > 0 and (known.error or "").startswith(LedgerBroken.__name__)


def _progress(lease: Lease, wait: Wait, now: Now) -> Callable[[int, int], None]:
    renewed = now()

    def progress(done: int, of: int) -> None:
        nonlocal renewed
        if wait(0):
            raise _Stopped
        if now() - renewed > _LEASE / 4:
            lease.renew(_LEASE, detail=f"{done:,} of {of:,} events so far")
            renewed = now()

    return progress


def _problem(found: Verification) -> str:
    if found.finding is not None:
        return f"event {found.finding.sequence} {found.finding.problem}; receiver optouts verify"
    count = len(found.disagreements)
    return f"the register disagrees with the ledger about {count} phones or more; receiver optouts verify"

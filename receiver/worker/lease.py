"""A task taken for a while: by one holder at a time, across processes and machines, whatever their clocks do.

The database says whose turn it is, by its clock. A clock may be set, so that what nobody may do too early is measured
once more by a clock that never jumps: each process remembers since when it has seen a task stand unchanged.
"""

import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from receiver.store import tasks
from receiver.store.store import Store
from receiver.store.tasks import Clock, Standing

# Seconds. No lease is longer, nor does any task rest longer: what stands unchanged for more was left by a clock that
# has been set back since.
LONGEST = 1_000.0
# Failures double the rest, up to this.
LONGEST_REST = 300.0


class LeaseLost(Exception):
    """The lease ran out before it was renewed: the task may be another's by now."""


@dataclass(frozen=True, slots=True)
class View:
    """A task as it was looked at: ``standing`` is None where nobody has ever begun it.

    ``unchanged`` is for how many seconds this process has seen it so, by its own clock.
    """

    standing: Standing | None
    unchanged: float

    @property
    def holder(self) -> str | None:
        """Who has it now, as far as anybody can tell."""
        known = self.standing
        if known is None or known.lease_until is None or known.lease_until <= known.now or self.unchanged >= LONGEST:
            return None
        return known.holder

    @property
    def failures(self) -> int:
        """In a row, by now."""
        return 0 if self.standing is None else self.standing.failures

    @property
    def wait(self) -> float:
        """Seconds until it may be taken as planned; 0 where that is now."""
        known = self.standing
        if known is None or self.unchanged >= LONGEST:
            return 0.0
        planned = known.next_at if known.lease_until is None else known.lease_until
        return max(0.0, (planned - known.now).total_seconds())


class Lease:
    """A task that is ours until ``deadline`` (of ``now``, this process's steady clock) or until it is given back."""

    def __init__(
        self,
        name: str,
        seconds: float,
        seen: View,
        turns: int,
        *,
        store: Store,
        now: Callable[[], float],
        clock: Clock | None,
        began: float,
    ) -> None:
        self.name = name
        self.seconds = seconds
        self.deadline = began + seconds
        self.failures = 0 if seen.standing is None else seen.standing.failures
        self._seen = seen
        self._taken_at = began
        self._turns = turns
        self._store = store
        self._now = now
        self._clock = clock

    def rest(self, apart: float) -> float:
        """Seconds to wait still, so that ``apart`` have passed since the last act of whoever had it before.

        By a clock that never jumps. One whose lease ran out may have acted until then: all of its lease must pass.
        """
        before = self._seen.standing
        if before is None:
            return 0.0
        if before.lease_until is not None and before.started_at is not None:
            apart = max(apart, (before.lease_until - before.started_at).total_seconds())
        return max(0.0, apart - self._seen.unchanged - (self._now() - self._taken_at))

    def renew(self, seconds: float, *, well: bool = False, detail: str | None = None) -> None:
        """Keep it for so many seconds from now. ``well``: something was done meanwhile, and ``detail`` says what.

        Raises LeaseLost, StoreError.
        """
        began = self._now()
        with self._store.writing() as connection:
            kept = tasks.renew(connection, self.name, self._turns, seconds, well=well, detail=detail, clock=self._clock)
        if not kept:
            raise LeaseLost(f"{self.name}: its lease of {self.seconds:.0f} s ran out")
        self._turns += 1
        self.seconds = seconds
        self.deadline = began + seconds
        if well:
            self.failures = 0

    def finish(self, again_after: float, *, error: str | None = None, detail: str | None = None) -> bool:
        """Give it back, done or failed, to rest for so many seconds; whether it was still ours. Raises StoreError."""
        rest = min(again_after, LONGEST_REST)
        with self._store.writing() as connection:
            return tasks.finish(connection, self.name, self._turns, rest, error=error, detail=detail, clock=self._clock)

    def rest_after_failure(self, least: float) -> float:
        """Seconds: ``least`` after the first failure, doubling with each in a row, to five minutes."""
        return float(min(least * 2 ** min(self.failures, 20), LONGEST_REST))


class Leases:
    """One process's leases. ``now`` is its steady clock; ``clock`` stands in for the database's."""

    def __init__(self, store: Store, *, now: Callable[[], float] = time.monotonic, clock: Clock | None = None) -> None:
        self.holder = f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(3)}"
        self._store = store
        self._now = now
        self._clock = clock
        self._seen: dict[str, tuple[int, float]] = {}

    def look(self, name: str) -> View:
        """How the task stands. Reads alone, and holds nobody up. Raises StoreError."""
        asked = self._now()
        with self._store.reading() as connection:
            known = tasks.standing(connection, name, self._clock)
        if known is None:
            return View(None, 0.0)
        turns, since = self._seen.get(name, (None, asked))
        if turns != known.turns:
            since = self._now()  # and not when we asked: it may have changed since
            self._seen[name] = (known.turns, since)
        return View(known, max(0.0, asked - since))

    def claim(self, name: str, seen: View, seconds: float) -> Lease | None:
        """Take a task that still stands as it was seen; None where another was faster. Raises StoreError.

        Whether it is free and due the caller has seen.
        """
        if seconds > LONGEST:
            raise ValueError(f"a lease of {seconds:.0f} s is longer than {LONGEST:.0f} s")
        began = self._now()
        known = seen.standing
        with self._store.writing() as connection:
            turns = tasks.claim(
                connection, name, None if known is None else known.turns, self.holder, seconds, self._clock
            )
        if turns is None:
            return None
        return Lease(name, seconds, seen, turns, store=self._store, now=self._now, clock=self._clock, began=began)

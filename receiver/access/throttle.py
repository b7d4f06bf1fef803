"""How often a password or a code may be tried, wherever it is asked for: after some failures each try has to wait."""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, TypeAlias

from receiver.store import people as rows
from receiver.store.store import Store

from .clock import Clock
from .errors import LoginRefused
from .person import Person

# Failures of one account, or from one address, before each further one has to wait; doubled each time to the longest.
FREE_FAILURES = {"name": 5, "peer": 20}
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=10), timedelta(minutes=15)
_FORGOTTEN_AFTER = timedelta(hours=24)

Counters: TypeAlias = Mapping[str, int]
"""What a try was counted by, with how many failures of each are free."""


class Throttle:
    """The failures of one database."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def count(self, counters: Counters) -> None:
        """Count one more try, to be forgotten where it turns out right. Raises LoginRefused where it comes too early.

        Counted before it is looked at, so that many at once are no way around it.
        """
        now = self._clock()
        with self._store.writing() as transaction:
            failed = rows.failures(transaction, counters, now, forgotten=now - _FORGOTTEN_AFTER)
            if (wait := _longest_wait(failed, counters, now)) is not None:
                raise LoginRefused("throttled", "too many failures: wait before the next try", wait)
            rows.count_failure(transaction, counters, now)

    def forget(self, counters: Counters) -> None:
        """Begin anew after what was right. Raises StoreError."""
        with self._store.writing() as transaction:
            rows.forget_failures(transaction, counters)


def of_login(name: str, peer: str) -> Counters:
    """What counts tries to log in as somebody, from an address."""
    # By its hash: people write their password where the name belongs.
    hashed = sha256(folded(name).encode("utf-8", "surrogatepass")).hexdigest()
    return {f"name:{hashed}": FREE_FAILURES["name"], f"peer:{peer}": FREE_FAILURES["peer"]}


def of_owner(person: Person) -> Counters:
    """What counts tries of who is logged in already to show that the account is theirs.

    Who has come by a session must not find password or code by it. Counted apart from logins: else they would shut its
    owner out.
    """
    return {f"present:{person.id}": FREE_FAILURES["name"]}


def folded(name: str) -> str:
    """A name as names are compared."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _longest_wait(found: Sequence[Any], free: Counters, now: datetime) -> timedelta | None:
    waits = []
    for row in found:
        surplus = row["count"] - free[row["counter"]]
        if surplus >= 0:
            waits.append(row["last_at"] + min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(surplus, 10)) - now)
    longest = max(waits, default=timedelta())
    return longest if longest > timedelta() else None

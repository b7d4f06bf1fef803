"""How often a key or an address may ask: counted by all processes together, and by none of them exceeded."""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from limits import RateLimitItem, parse
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from receiver.store.errors import StoreError
from receiver.store.rate_windows import RateWindows, Window

_log = logging.getLogger(__name__)

OFF = "off"
# Seconds between two times that a process takes away what has ended, or says that it can't count.
_CLEANED_EVERY, _SAID_EVERY = 60.0, 60.0


class Policy(StrEnum):
    """What is counted, by the name that answers give it."""

    KEY = "key"
    ADDRESS = "address"
    FAILURES = "failures"
    """Requests of an address without a key that may be used."""
    LOOKUPS = "lookups"
    """Phones that a person looks for who sees them masked."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where somebody stands with a limit after one more request: ``remaining`` is below zero once it is exceeded."""

    policy: Policy
    amount: int
    window: int
    remaining: int
    seconds_left: int

    @property
    def is_exceeded(self) -> bool:
        return self.remaining < 0


class Rates:
    """The limits, as the settings have them (``600/minute`` or ``off``), over the counters of one database.

    Where the counters can't be used nobody is held up, and the log says so.
    """

    def __init__(self, windows: RateWindows, limits: Mapping[Policy, str]) -> None:
        self._windows = windows
        self._limiter = SharedWindows(WindowStorage(windows))
        self._items = {policy: parse(limit) for policy, limit in limits.items() if limit != OFF}
        self._cleaning, self._saying = _NowAndThen(_CLEANED_EVERY), _NowAndThen(_SAID_EVERY)

    def take(self, policy: Policy, who: str) -> Standing | None:
        """Count one request of ``who``; None where there is no such limit, or it can't be counted."""
        item = self._items.get(policy)
        if item is None:
            return None
        try:
            window = self._limiter.take(item, policy, who)
            if self._cleaning.is_due():
                self._windows.clean()
        except StoreError as failure:
            if self._saying.is_due():
                _log.error("requests are not counted now, and no limit holds: %s", failure)
            return None
        left = max(0, ceil(window.seconds_left))
        return Standing(policy, item.amount, item.get_expiry(), item.amount - window.count, left)


class _NowAndThen:
    """Whether it is time for what is done at most once in so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._last = seconds, float("-inf")
        self._lock = threading.Lock()

    def is_due(self) -> bool:
        with self._lock:
            now = time.monotonic()
            is_due = now - self._last >= self._seconds
            if is_due:
                self._last = now
            return is_due


class SharedWindows(FixedWindowRateLimiter):
    """The library's strategy, which here also counts and tells how things stand in one step."""

    storage: "WindowStorage"

    def take(self, item: RateLimitItem, *identifiers: str) -> Window:
        return self.storage.count(item.key_for(*identifiers), item.get_expiry())


class WindowStorage(Storage):
    """The library's storage over counters that all processes share."""

    STORAGE_SCHEME = None

    def __init__(self, windows: RateWindows) -> None:
        super().__init__()
        self._windows = windows

    @property
    def base_exceptions(self) -> type[Exception]:
        return StoreError

    def count(self, key: str, expiry: int, amount: int = 1) -> Window:
        return self._windows.count(key, expiry, amount)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        return self.count(key, expiry, amount).count

    def get(self, key: str) -> int:
        return self._windows.look(key).count

    def get_expiry(self, key: str) -> float:
        return time.time() + self._windows.look(key).seconds_left

    def check(self) -> bool:
        try:
            self._windows.look("")
        except StoreError:
            return False
        return True

    def reset(self) -> int | None:
        return self._windows.forget()

    def clear(self, key: str) -> None:
        self._windows.forget(key)

"""What the gateway said last of the account: it is asked beside whoever looks, so that nobody waits for it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from .client import Balance, Gateway, GatewayError

# As old as a balance may be that is shown without asking for another.
FRESH = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of the account. ``balance`` is the last that was told, at ``told_at``; ``failure`` is why the
    gateway did not tell it when it was asked last, at ``asked_at``.
    """

    asked_at: datetime | None = None
    balance: Balance | None = None
    told_at: datetime | None = None
    failure: GatewayError | None = None


class BalanceWatch:
    """The balance of one account. ``gateway`` makes the client, once; at most one question is under way."""

    def __init__(
        self,
        gateway: Callable[[], Gateway],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        begin: Callable[[Callable[[], None]], None] = lambda ask: threading.Thread(target=ask, daemon=True).start(),
    ) -> None:
        self._make, self._clock, self._begin = gateway, clock, begin
        self._gateway: Gateway | None = None
        self._lock = threading.Lock()
        self._is_asking = False
        self._last = Reading()

    def look(self) -> Reading:
        """What is known now, at once. Where that is old, the gateway is asked meanwhile, for who looks next."""
        with self._lock:
            asked_at = self._last.asked_at
            if self._is_asking or (asked_at is not None and self._clock() - asked_at < FRESH):
                return self._last
            self._is_asking = True
        self._begin(self._ask)
        with self._lock:
            return self._last

    def _ask(self) -> None:
        # Of a failure that is none of the gateway's no more is told than that it was asked.
        told = replace(self._last, asked_at=self._clock())
        try:
            self._gateway = self._gateway or self._make()
            balance = self._gateway.balance()
            now = self._clock()
            told = Reading(now, balance, now)
        except GatewayError as failure:
            told = replace(told, asked_at=self._clock(), failure=failure)
        finally:
            with self._lock:
                self._last, self._is_asking = told, False

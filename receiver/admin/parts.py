"""What the admin side works with, made once for an application and reached from every view."""

from dataclasses import dataclass
from functools import cached_property
from typing import cast

from flask import current_app

from receiver.access import Keys
from receiver.access.people import People
from receiver.access.rates import Policy, Rates
from receiver.access.sessions import Sessions
from receiver.config import Settings
from receiver.gateway.settings import gateway_of
from receiver.gateway.watch import BalanceWatch
from receiver.optout.register import Register
from receiver.store.rate_windows import RateWindows
from receiver.store.store import Store

_NAME = "receiver"
# Seconds for which the gateway is asked for what a page shows.
_PATIENCE = 8.0
# Four digits of a masked phone are hidden: trying them all would take a week of this.
_LOOKUPS = "60/hour"


@dataclass(frozen=True)
class Parts:
    """The settings, the database, and what acts on it."""

    settings: Settings
    store: Store

    @cached_property
    def keys(self) -> Keys:
        return Keys(self.store)

    @cached_property
    def people(self) -> People:
        return People(self.store)

    @cached_property
    def sessions(self) -> Sessions:
        return Sessions(self.store)

    @cached_property
    def rates(self) -> Rates:
        limits = {
            Policy.KEY: self.settings.rate_limit_key,
            Policy.ADDRESS: self.settings.rate_limit_address,
            Policy.FAILURES: self.settings.rate_limit_failures,
            Policy.LOOKUPS: _LOOKUPS,
        }
        return Rates(self.windows, limits)

    @cached_property
    def windows(self) -> RateWindows:
        return RateWindows(self.settings.url)

    @cached_property
    def register(self) -> Register:
        return Register(self.store, self.settings.default_region)

    @cached_property
    def balance(self) -> BalanceWatch | None:
        """What the gateway says of the account; None where no account is set up."""
        settings = self.settings
        if not (settings.gateway_name and settings.gateway_password):
            return None
        return BalanceWatch(lambda: gateway_of(settings, timeout=min(_PATIENCE, settings.gateway_timeout)))

    def attach(self, extensions: dict[str, object]) -> None:
        """Make these the parts of an application."""
        extensions[_NAME] = self


def parts() -> Parts:
    """The parts of the application that answers now."""
    return cast(Parts, current_app.extensions[_NAME])

"""How tasks stand, as people ask it: waiting, running, stuck or failing, and how late."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Any

from receiver.store.tasks import Standing


class State(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    STUCK = "stuck"
    """Whoever has it should have ended by now: it hangs, or has died."""
    FAILING = "failing"
    OFF = "off"
    """It ran once; a worker with these settings does not run it."""


def status(standing: Standing, here: Collection[str]) -> dict[str, Any]:
    """One task's line. ``here`` names those that a worker with the present settings runs. Lag is in seconds."""
    state = _state(standing, here)
    return {
        "name": standing.name,
        "state": state,
        "last_run": standing.finished_at,
        "lag": _lag(standing, state),
        "next_run": standing.next_at if state in (State.WAITING, State.FAILING) else None,
        "failures": standing.failures,
        "error": standing.error,
        "detail": standing.detail,
        "holder": standing.holder,
        "failed_at": standing.failed_at,
    }


def _state(standing: Standing, here: Collection[str]) -> State:
    if standing.lease_until is not None:
        return State.RUNNING if standing.lease_until > standing.now else State.STUCK
    if standing.failures:
        return State.FAILING
    return State.WAITING if standing.name in here else State.OFF


def _lag(standing: Standing, state: State) -> int | None:
    due: datetime | None = {
        State.STUCK: standing.lease_until, State.WAITING: standing.next_at, State.FAILING: standing.next_at
    }.get(state)  # fmt: skip
    return None if due is None else max(0, int((standing.now - due).total_seconds()))

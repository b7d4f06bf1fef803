"""Work that is done again and again: by one worker of all at a time, or by every worker for itself."""

from collections.abc import Callable
from dataclasses import dataclass

from .lease import Lease

Wait = Callable[[float], bool]
"""Wait so many seconds; whether the worker is to stop."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that went well: when it is due again, in seconds, and what to tell people of it."""

    again_after: float
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """What one worker of all does at a time, under its name. Times are in seconds.

    ``run`` gets the lease that makes it the only one, and how to wait. It ends within ``lease``, or renews it.
    """

    name: str
    lease: float
    run: Callable[[Lease, Wait], Ran]
    look_every: float = 5.0
    """How often to see whose turn it is."""
    retry_after: float = 2.0
    """After a first failure; doubled with each in a row, to five minutes."""
    hopeless: tuple[type[Exception], ...] = ()
    """Failures that only a person can mend: to be tried again after five minutes."""
    has_work: Callable[[], bool] | None = None
    """Whether there is reason to run before it is due. Reads alone; raises StoreError."""


@dataclass(frozen=True, slots=True)
class Chore:
    """What every worker does for itself, each ``every`` seconds: what lies on its own machine."""

    name: str
    every: float
    run: Callable[[], None]

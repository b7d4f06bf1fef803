"""What time it is, in place of which tests have one that they move."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]


def now() -> datetime:
    """The moment, aware."""
    return datetime.now(UTC)

"""A database, and time that a test sets."""

from datetime import UTC, datetime, timedelta

import pytest


class Clock:
    """The time, as the test says."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.moment

    def pass_(self, **time: float) -> None:
        self.moment += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()

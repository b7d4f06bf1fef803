"""A database, and time that a test sets."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from receiver.store.store import Store


class Clock:
    """The time, as the test says."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.moment

    def pass_(self, **time: float) -> None:
        self.moment += timedelta(**time)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store(database_url)
    opened.ensure_current()
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()

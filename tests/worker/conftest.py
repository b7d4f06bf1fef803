"""A migrated database on each engine, and a time that tests set."""

from datetime import UTC, datetime, timedelta

import pytest

from receiver.store import tasks as statements
from receiver.store.store import Store
from receiver.store.tasks import Standing

BEGINNING = datetime(2026, 6, 3, tzinfo=UTC)


class Time:
    """The database's clock, and a steady one that every process of a test shares."""

    def __init__(self) -> None:
        self.steady = 0.0
        self.jump = timedelta(0)

    def pass_(self, seconds: float) -> None:
        self.steady += seconds

    def now(self) -> float:
        return self.steady

    def clock(self) -> datetime:
        return BEGINNING + timedelta(seconds=self.steady) + self.jump


@pytest.fixture
def time_() -> Time:
    return Time()


def standing(store: Store, name: str = "t") -> Standing:
    with store.reading() as connection:
        known = statements.standing(connection, name)
    assert known is not None
    return known

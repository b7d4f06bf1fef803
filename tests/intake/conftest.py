"""A migrated database on each engine, and intakes on it as different processes have them."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from receiver.intake import Intake
from receiver.store.store import Store


@pytest.fixture
def new_intake(store: Store, database_url: str) -> Iterator[Callable[..., Intake]]:
    """Makes an intake with connections of its own, as another process would."""
    opened: list[tuple[Intake, Store]] = []

    def make(**options: Any) -> Intake:
        own = Store(database_url)
        options = {"duplicate_window": timedelta(seconds=120), "timeout": 30.0, "max_waiting": 1_000, **options}
        opened.append((Intake(own, **options), own))
        return opened[-1][0]

    yield make
    for intake, own in opened:
        intake.close()
        own.close()

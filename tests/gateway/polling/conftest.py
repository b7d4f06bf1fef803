"""A migrated database, and what stands between an inbox and it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from receiver.gateway.polling import Drain, Poller, Spool
from receiver.intake import Intake
from receiver.store.store import Store
from receiver.vocabulary import Reading
from tests.gateway.polling.inbox import Inbox

WINDOW = timedelta(seconds=120)


@pytest.fixture
def intake(store: Store) -> Iterator[Intake]:
    opened = Intake(store, duplicate_window=WINDOW, timeout=30.0, max_waiting=100)
    yield opened
    opened.close()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "var")


@pytest.fixture
def drain(spool: Spool, intake: Intake, store: Store) -> Drain:
    return Drain(spool, intake, store, Reading())


class Turn:
    """A lease that is never lost, and remembers what it was told."""

    def __init__(self) -> None:
        self.resting = 0.0
        self.renewed: list[tuple[float, bool]] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def rest(self, apart: float) -> float:
        return self.resting

    def renew(self, seconds: float, *, well: bool = False, detail: str | None = None) -> None:
        self.renewed.append((seconds, well))
        self.meanwhile()


class Time:
    """A clock that goes on when it is waited for."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.waited: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        if seconds:
            self.waited.append(seconds)
        self.now += seconds
        return False


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def turn() -> Turn:
    return Turn()


@pytest.fixture
def time_() -> Time:
    return Time()


@pytest.fixture
def poller(inbox: Inbox, spool: Spool, drain: Drain, time_: Time) -> Poller:
    return Poller(inbox, spool, drain, account="demo", charset="gb18030", now=time_)

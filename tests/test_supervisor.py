"""The supervisor kills what does not end, and nobody who was given longer before that has passed."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from receiver import supervisor
from receiver.supervisor import Supervisor


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGTERM, signal.SIGINT)}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


@pytest.mark.parametrize(("patience", "status"), [({"slow": 30.0}, 0), ({}, 1)])
def test_a_role_that_was_given_longer_is_not_killed_before(
    patience: dict[str, float], status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.3)

    def slow() -> None:
        ends = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: ends.set())
        (tmp_path / "runs").touch()
        ends.wait()
        time.sleep(1.5)  # a call that is under way
        (tmp_path / "ended").touch()

    roles = Supervisor({"slow": slow}, patience=patience)
    roles.start()
    while not (tmp_path / "runs").exists():
        time.sleep(0.01)
    assert roles.drain() == status
    assert (tmp_path / "ended").exists() == (status == 0)

"""Faults of the machine itself, which only root can bring about: a disk that is full, a clock that jumps."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from receiver.store.store import Store
from receiver.store.tables import messages
from tests.counted import wait_until_counted
from tests.postgres import Postgres
from tests.processes import Process

from .faults import Injected
from .scene import Engine, Felt, Scene

pytestmark = [pytest.mark.host, pytest.mark.slow]

ENGINES: tuple[Engine, ...] = ("sqlite", "postgresql")
DISK_MB = 24
HOUR = 3600


@contextmanager
def disk(folder: Path) -> Iterator[Path]:
    """A small disk of its own at ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """While it lasts there is no byte left where ``folder`` is."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"\0" * 4096):
            pass
    assert os.statvfs(folder).f_bavail == 0
    try:
        yield
    finally:
        ballast.unlink()


def suffered(scene: Scene, felt: Felt, strike: Callable[[Scene], AbstractContextManager[None]]) -> None:
    """What must come of any fault, here of one that only this file knows."""
    episode = scene.suffer(Injected("of the machine", ENGINES, felt, strike), seconds=1)
    assert episode.acknowledged > 0
    assert all(audit.ok for audit in episode.audits), episode.audits
    assert set(episode.refused) <= ({"-4"} if felt is Felt.REFUSED else set())
    assert scene.verified().ok


def test_the_disk_of_database_and_spool_is_full(tmp_path: Path) -> None:
    with disk(tmp_path / "disk") as small, Scene("sqlite", small) as scene:
        suffered(scene, Felt.REFUSED, lambda _: full(small))


def test_the_disk_of_the_database_is_full(tmp_path: Path) -> None:
    elsewhere = {"RECEIVER_DATA_DIR": str(tmp_path / "data")}
    with disk(tmp_path / "disk") as small, Scene("sqlite", small, settings=elsewhere) as scene:
        suffered(scene, Felt.SPOOLED, lambda _: full(small))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_disk_of_the_spool_is_full_while_the_database_is_away(
    engine: Engine, postgres: Postgres, tmp_path: Path
) -> None:
    @contextmanager
    def strike(scene: Scene) -> Iterator[None]:
        with scene.without_database(), full(small):
            yield

    there = {"RECEIVER_DATA_DIR": str(tmp_path / "data")}
    with disk(tmp_path / "data") as small, Scene(engine, tmp_path, postgres, there) as scene:
        suffered(scene, Felt.REFUSED, strike)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_clock_jumps_an_hour_forward_and_two_back(engine: Engine, postgres: Postgres, tmp_path: Path) -> None:
    library, seconds = tmp_path / "clock.so", tmp_path / "seconds"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, Path(__file__).with_name("clock.c")], check=True)
    seconds.write_bytes(bytes(8))
    clock = {"LD_PRELOAD": str(library), "CLOCK_AHEAD": str(seconds)}

    @contextmanager
    def strike(scene: Scene) -> Iterator[None]:
        with seconds.open("r+b", buffering=0) as ahead:
            for jumped in (HOUR, -HOUR):
                ahead.seek(0)
                ahead.write(jumped.to_bytes(8, sys.byteorder, signed=True))
                scene.until_acknowledged()
            yield
            ahead.seek(0)
            ahead.write(bytes(8))

    with Scene(engine, tmp_path, postgres, clock) as scene:
        suffered(scene, Felt.BRIEFLY, strike)
        env = {name: value for name, value in scene.server.env.items() if name not in clock}
        with Process("receiver", "worker", env=env) as worker:
            try:
                wait_until_counted(scene.database_url)
            finally:
                worker.terminate()
        assert max(_times(scene)) - min(_times(scene)) > timedelta(seconds=2 * HOUR - 60), "the clock did not jump"


def _times(scene: Scene) -> Sequence[datetime]:
    with closing(Store(scene.database_url, pooled=False)) as store, store.reading() as connection:
        return connection.scalars(select(messages.c.received_at)).all()

"""Every fault that is injected into a running receiver: what is done to it, and how that shows."""

import os
import resource
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .scene import Engine, Felt, Scene

_BOTH: tuple[Engine, ...] = ("sqlite", "postgresql")
_SQLITE: tuple[Engine, ...] = ("sqlite",)
_POSTGRESQL: tuple[Engine, ...] = ("postgresql",)
# More than the spool writes into a file while a fault lasts, less than SQLite's log has before it begins anew.
_ROOM_FOR_THE_SPOOL = 2_500_000


@dataclass(frozen=True)
class Injected:
    """A fault, and the engines that it can befall."""

    name: str
    engines: tuple[Engine, ...]
    felt: Felt
    strike: Callable[[Scene], AbstractContextManager[None]]


FAULTS: list[Injected] = []


def _fault(
    name: str, engines: tuple[Engine, ...], felt: Felt
) -> Callable[[Callable[[Scene], Iterator[None]]], Callable[[Scene], AbstractContextManager[None]]]:
    def listed(strike: Callable[[Scene], Iterator[None]]) -> Callable[[Scene], AbstractContextManager[None]]:
        manager = contextmanager(strike)
        FAULTS.append(Injected(name, engines, felt, manager))
        return manager

    return listed


# --- processes


@_fault("all processes killed", _BOTH, Felt.BRIEFLY)
def _all_killed(scene: Scene) -> Iterator[None]:
    scene.server.kill9()
    yield
    scene.server.start()


@_fault("the process that answers killed", _BOTH, Felt.BRIEFLY)
def _worker_killed(scene: Scene) -> Iterator[None]:
    scene.server.kill9_workers()
    yield


@_fault("the process that answers frozen", _BOTH, Felt.HELD_UP)
def _worker_frozen(scene: Scene) -> Iterator[None]:
    worker = scene.worker
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


@_fault("all processes killed while the database is away", _BOTH, Felt.SPOOLED)
def _killed_while_away(scene: Scene) -> Iterator[None]:
    with scene.without_database():
        scene.server.kill9()
        scene.server.start()
        yield


# --- the database


@_fault("PostgreSQL crashed", _POSTGRESQL, Felt.SPOOLED)
def _crashed(scene: Scene) -> Iterator[None]:
    with scene.without_database():
        yield


@_fault("PostgreSQL frozen", _POSTGRESQL, Felt.SPOOLED)
def _frozen(scene: Scene) -> Iterator[None]:
    with scene.postgres.frozen():
        yield


@_fault("PostgreSQL read-only", _POSTGRESQL, Felt.SPOOLED)
def _read_only(scene: Scene) -> Iterator[None]:
    scene.administer("ALTER DATABASE {} SET default_transaction_read_only = on", cut_off=True)
    try:
        yield
    finally:
        # Who connected meanwhile is read-only as long as it stays connected.
        scene.administer("ALTER DATABASE {} RESET default_transaction_read_only")


@_fault("no connection allowed", _POSTGRESQL, Felt.SPOOLED)
def _no_connections(scene: Scene) -> Iterator[None]:
    scene.administer("ALTER DATABASE {} ALLOW_CONNECTIONS false", cut_off=True)
    try:
        yield
    finally:
        scene.administer("ALTER DATABASE {} ALLOW_CONNECTIONS true")


@_fault("locked by a long transaction", _BOTH, Felt.SPOOLED)
def _locked(scene: Scene) -> Iterator[None]:
    with scene.locked():
        yield


@_fault("the ledger locked", _POSTGRESQL, Felt.SPOOLED)
def _ledger_locked(scene: Scene) -> Iterator[None]:
    with scene.locked("SELECT sequence FROM ledger_head FOR UPDATE"):
        yield


@_fault("PostgreSQL slow", _POSTGRESQL, Felt.SPOOLED)
def _slow(scene: Scene) -> Iterator[None]:
    scene.proxy.delay = 0.5
    try:
        yield
    finally:
        scene.proxy.delay = 0.0


@_fault("connections cut in mid-COMMIT", _POSTGRESQL, Felt.SPOOLED)
def _cut(scene: Scene) -> Iterator[None]:
    scene.proxy.cuts_commits = True
    try:
        yield
    finally:
        scene.proxy.cuts_commits = False


# --- the disk


@_fault("no disk space for SQLite", _SQLITE, Felt.SPOOLED)
def _full_for_sqlite(scene: Scene) -> Iterator[None]:
    with scene.limited(resource.RLIMIT_FSIZE, _ROOM_FOR_THE_SPOOL):
        yield


@_fault("no disk space for database and spool", _SQLITE, Felt.REFUSED)
def _full(scene: Scene) -> Iterator[None]:
    with scene.limited(resource.RLIMIT_FSIZE, 0):
        yield


@_fault("no disk space for the spool while the database is away", _BOTH, Felt.REFUSED)
def _full_while_away(scene: Scene) -> Iterator[None]:
    with scene.without_database(), scene.limited(resource.RLIMIT_FSIZE, 0):
        yield


@_fault("spool folder unusable while the database is away", _BOTH, Felt.REFUSED)
def _unusable_while_away(scene: Scene) -> Iterator[None]:
    folder = scene.server.spool.folder
    aside = folder.with_name("aside")
    with scene.without_database():
        folder.rename(aside)
        folder.write_text("no folder")
        yield
    # With the database alone it goes on.
    scene.until_acknowledged()
    folder.unlink()
    aside.rename(folder)


@_fault("no file descriptors left", _BOTH, Felt.BY_NEWCOMERS)
def _no_descriptors(scene: Scene) -> Iterator[None]:
    with scene.limited(resource.RLIMIT_NOFILE, scene.open_files()):
        scene.start_load(connections=8)
        scene.until_logged("Too many open files")
        yield


@_fault("SQLite's file moved away", _SQLITE, Felt.SPOOLED)
def _moved(scene: Scene) -> Iterator[None]:
    files = _files(scene.sqlite_path)
    for file in files:
        file.rename(_aside(file))
    try:
        yield
    finally:
        for file in reversed(files):
            _aside(file).rename(file)


@_fault("SQLite's log deleted, and all processes killed", _SQLITE, Felt.SPOOLED)
def _log_deleted(scene: Scene) -> Iterator[None]:
    Path(f"{scene.sqlite_path}-wal").unlink()
    yield
    scene.server.kill9()
    scene.server.start()


@_fault("SQLite's file corrupted, and a backup restored", _SQLITE, Felt.SPOOLED)
def _corrupted(scene: Scene) -> Iterator[None]:
    # What is stored between the backup and the damage nobody could bring back: nothing comes meanwhile.
    scene.stop_load()
    scene.server.wait_until_stored()
    with scene.sqlite() as connection:
        scene.until(lambda: _emptied_log(connection), "SQLite's log is empty")
    path, backup = scene.sqlite_path, _aside(scene.sqlite_path)
    shutil.copyfile(path, backup)
    page = 4096
    with path.open("r+b") as damaged:
        damaged.seek(page)
        damaged.write(b"\xde" * (path.stat().st_size - page))
    scene.start_load()
    yield
    scene.server.terminate()
    for file in _files(path):
        file.unlink()
    backup.rename(path)
    scene.server.start()


def _emptied_log(connection: sqlite3.Connection) -> bool:
    (was_busy, *_), *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return not was_busy


def _files(path: Path) -> list[Path]:
    """The database's file, and what SQLite keeps beside it."""
    return [file for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")) if file.exists()]


def _aside(file: Path) -> Path:
    return file.with_name(f"{file.name}.aside")

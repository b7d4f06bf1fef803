"""Whether each part is well: the database, this machine's disk and spool, and what workers do in the background."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from receiver.config import Settings
from receiver.gateway.polling import Spool
from receiver.intake.spool import spool_of
from receiver.store import tasks
from receiver.store.errors import StoreError
from receiver.store.store import Store

from .roster import task_names
from .status import State, status

# Free room below which a disk is low, or as good as full.
_LOW_BYTES, _LOW_SHARE = 2_000_000_000, 0.10
_FULL_BYTES, _FULL_SHARE = 200_000_000, 0.02


# Seconds that a database may be busy with another's transaction before it is said to take no writes.
_PATIENCE = 0.5


class Level(StrEnum):
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


class Says(StrEnum):
    """What was found."""

    DATABASE_WRITES = "database-writes"
    DATABASE_REFUSES = "database-refuses"
    DISK_ROOM = "disk-room"
    DISK_LOW = "disk-low"
    DISK_FULL = "disk-full"
    DISK_UNKNOWN = "disk-unknown"
    PUSHED_NONE = "pushed-none"
    PUSHED_WAITING = "pushed-waiting"
    PUSHED_DAMAGED = "pushed-damaged"
    PUSHED_UNKNOWN = "pushed-unknown"
    SPOOL_EMPTY = "spool-empty"
    SPOOL_WAITING = "spool-waiting"
    SPOOL_CORRUPT = "spool-corrupt"
    SPOOL_UNKNOWN = "spool-unknown"
    TASK_WELL = "task-well"
    TASK_NEVER = "task-never"
    TASK_STUCK = "task-stuck"
    TASK_FAILING = "task-failing"


LEVELS = {
    Says.DATABASE_REFUSES: Level.BAD,
    Says.DISK_LOW: Level.WARN,
    Says.DISK_FULL: Level.BAD,
    Says.DISK_UNKNOWN: Level.BAD,
    Says.PUSHED_WAITING: Level.BAD,
    Says.PUSHED_DAMAGED: Level.BAD,
    Says.PUSHED_UNKNOWN: Level.BAD,
    Says.SPOOL_WAITING: Level.WARN,
    Says.SPOOL_CORRUPT: Level.BAD,
    Says.SPOOL_UNKNOWN: Level.BAD,
    Says.TASK_NEVER: Level.BAD,
    Says.TASK_STUCK: Level.BAD,
    Says.TASK_FAILING: Level.BAD,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One part and how it is. ``values`` are figures for the words; ``task`` names a background task."""

    says: Says
    values: Mapping[str, Any] = field(default_factory=dict)
    task: str | None = None

    @property
    def level(self) -> Level:
        return LEVELS.get(self.says, Level.GOOD)


def health(settings: Settings, store: Store) -> list[Finding]:
    """How everything is that can be known from this machine. Raises StoreError where the database can't be read."""
    return [_database(store), *of_machine(settings), *_tasks(settings, store)]


def of_machine(settings: Settings) -> list[Finding]:
    """How this machine's disk and spools are, whatever the database does. Raises nothing."""
    return [_disk(settings), pushed(settings), _spool(settings)]


def _database(store: Store) -> Finding:
    try:
        store.probe(_PATIENCE)
    except StoreError as failure:
        return Finding(Says.DATABASE_REFUSES, {"error": str(failure)})
    return Finding(Says.DATABASE_WRITES, {"revision": store.revision()})


def _disk(settings: Settings) -> Finding:
    folder = settings.data_dir.absolute()
    try:
        usage = shutil.disk_usage(folder)
    except OSError as failure:
        return Finding(Says.DISK_UNKNOWN, {"folder": folder, "error": failure.strerror or str(failure)})
    share = usage.free / usage.total if usage.total else 0.0
    values = {"folder": folder, "free": usage.free, "share": share}
    return Finding(judged(usage.free, share), values)


def judged(free: int, share: float) -> Says:
    """What so many free bytes, which are that share of a disk, amount to."""
    # A large disk is not low for its share, nor a small one for its bytes alone.
    if (free < _FULL_BYTES and share < _LOW_SHARE) or (share < _FULL_SHARE and free < _LOW_BYTES):
        return Says.DISK_FULL
    return Says.DISK_LOW if free < _LOW_BYTES and share < _LOW_SHARE else Says.DISK_ROOM


def pushed(settings: Settings) -> Finding:
    """Whether replies wait on this machine's disk for the database, or were set aside there."""
    spool = spool_of(settings)
    folder = spool.folder.absolute()
    try:
        found = spool.look()
    except OSError as failure:
        return Finding(Says.PUSHED_UNKNOWN, {"folder": folder, "error": failure.strerror or str(failure)})
    values = {"folder": folder, "size": found.size, "damaged": found.damaged}
    if found.files:
        return Finding(Says.PUSHED_WAITING, values)
    return Finding(Says.PUSHED_DAMAGED if found.damaged else Says.PUSHED_NONE, values)


def _spool(settings: Settings) -> Finding:
    spool = Spool(settings.data_dir)
    folder = spool.folder.absolute()
    try:
        values = {"folder": folder, "waiting": len(spool.waiting()), "corrupt": spool.corrupt()}
    except OSError as failure:
        return Finding(Says.SPOOL_UNKNOWN, {"folder": folder, "error": failure.strerror or str(failure)})
    if values["corrupt"]:
        return Finding(Says.SPOOL_CORRUPT, values)
    return Finding(Says.SPOOL_WAITING if values["waiting"] else Says.SPOOL_EMPTY, values)


def _tasks(settings: Settings, store: Store) -> Iterator[Finding]:
    here = task_names(settings)
    with store.reading() as connection:
        known = {each.name: status(each, here) for each in tasks.every_standing(connection)}
    for name in [*here, *sorted(known.keys() - set(here))]:
        told = known.get(name)
        if told is None:
            yield Finding(Says.TASK_NEVER, task=name)
        elif told["state"] is not State.OFF:
            says = {State.STUCK: Says.TASK_STUCK, State.FAILING: Says.TASK_FAILING}.get(told["state"], Says.TASK_WELL)
            yield Finding(says, told, name)

"""What a run was measured on: figures mean nothing without it."""

import os
import platform
import sqlite3
import statistics
import time
from pathlib import Path

import psutil
import psycopg

from tests.postgres import conninfo

_FSYNCS = 200


def describe(directory: Path, postgres_url: str, generator: str) -> list[tuple[str, str]]:
    """Names and values, for reading; ``directory`` is where the databases are."""
    return [
        ("processor", f"{len(os.sched_getaffinity(0))} × {_processor()}"),
        ("memory", f"{psutil.virtual_memory().total / 2**30:.0f} GiB"),
        ("system", f"{platform.system()} {platform.release()}"),
        ("Python", platform.python_version()),
        ("SQLite", f"{sqlite3.sqlite_version}, WAL, synchronous=FULL"),
        ("PostgreSQL", _postgres(postgres_url)),
        ("disk", f"{filesystem(directory)}, fsync of 4 kB: p50 {fsync_ms(directory):.2f} ms"),
        ("load", f"{generator}; {busy():.1f} processors busy with other things at the start"),
    ]


def filesystem(directory: Path) -> str:
    """The type of the file system that ``directory`` is on."""
    where = directory.resolve()
    mounts = [(Path(part.mountpoint), part.fstype) for part in psutil.disk_partitions(all=True)]
    above = [(len(mount.parts), kind) for mount, kind in mounts if where.is_relative_to(mount)]
    return max(above)[1] if above else "unknown file system"


def fsync_ms(directory: Path) -> float:
    """The median time to make one appended block durable: what no commit can be faster than."""
    path = directory / "fsync"
    took = []
    with path.open("wb", buffering=0) as file:
        for _ in range(_FSYNCS):
            file.write(bytes(4096))
            began = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    path.unlink()
    return statistics.median(took) * 1e3


def busy() -> float:
    """Processors that someone else keeps busy, over a second."""
    return psutil.cpu_percent(interval=1.0) / 100 * (psutil.cpu_count() or 1)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _postgres(url: str) -> str:
    with psycopg.connect(conninfo(url)) as connection:
        row = connection.execute(
            "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit')"
        ).fetchone()
    assert row is not None
    version, fsync, synchronous_commit = row
    return f"{version}, fsync={fsync}, synchronous_commit={synchronous_commit}"

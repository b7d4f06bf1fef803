"""An answer leaves after what it acknowledges is on disk: seen by strace in the order of system calls.

What a power failure takes is what was written and not synced. No process that is killed loses that, so no other test
would notice if nothing were ever synced.
"""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.faults.scene import Engine, Scene
from tests.postgres import Postgres

pytestmark = [pytest.mark.host, pytest.mark.slow]

REPLIES = 20
CALLS = "trace=fsync,fdatasync,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg"
# Where a reply is durable.
DURABLE = {"sqlite": "receiver.db-wal", "postgresql": "/pg_wal/", "spool": ".push"}

_CALL = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(?:\(\d+<([^>]*)>)?(.*)")
_ANSWER = re.compile(r'\\r\\n\\r\\n0"')


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """One that syncs, as the tests' own one does not."""
    server = Postgres()
    try:
        yield server
    finally:
        server.close()


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_an_answer_leaves_after_the_commit_is_synced(engine: Engine, postgres: Postgres, tmp_path: Path) -> None:
    with Scene(engine, tmp_path, postgres) as scene:
        push(scene, 1)
        traced = [scene.worker]
        if engine == "postgresql":
            traced += [process.pid for process in postgres.processes()]
        with trace(traced, tmp_path / "calls") as calls:
            push(scene, REPLIES)
        assert synced_before(calls, DURABLE[engine]) == REPLIES


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_an_answer_leaves_after_the_spool_is_synced(engine: Engine, postgres: Postgres, tmp_path: Path) -> None:
    with Scene(engine, tmp_path, postgres) as scene:
        scene.start_load()
        with scene.without_database():
            scene.stop_load()
            with trace([scene.worker], tmp_path / "calls") as calls:
                push(scene, REPLIES)
        assert synced_before(calls, DURABLE["spool"]) == REPLIES


def push(scene: Scene, count: int) -> None:
    for number in range(count):
        assert scene.server.get(f"/recv.asp?src=13900000001&dst=1069&msg={number}") == b"0"


@contextmanager
def trace(pids: Sequence[int], path: Path) -> Iterator[list[str]]:
    """The calls of these processes while the block lasts, in their order; there when it is left."""
    calls: list[str] = []
    chosen = [word for pid in pids for word in ("-p", str(pid))]
    command = ["strace", "-f", "-y", "-s", "400", "-o", str(path), "-e", CALLS, *chosen]
    with ExitStack() as stack:
        strace = stack.enter_context(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        stack.callback(strace.terminate)
        assert strace.stderr is not None
        for _ in pids:
            assert "attached" in strace.stderr.readline()
        yield calls
    calls += path.read_text(errors="replace").splitlines()


def synced_before(calls: Sequence[str], where: str) -> int:
    """How many answers of ``0`` left after all that was written ``where`` it is durable had been synced; all must."""
    unsynced: set[str] = set()
    syncing: dict[str, str] = {}
    syncs = answers = 0
    for line in calls:
        found = _CALL.match(line)
        if found is None:
            continue
        pid, call, path, rest = found.groups()
        if call in ("fsync", "fdatasync"):
            synced = syncing.pop(pid, "") if path is None else path
            if rest.endswith("<unfinished ...>"):
                syncing[pid] = synced
            elif where in synced and rest.endswith("= 0"):
                unsynced.discard(synced)
                syncs += 1
        elif path is not None and where in path:
            unsynced.add(path)
        elif _ANSWER.search(rest):
            assert syncs > 0, f"answered, and nothing was synced\n{line}"
            assert not unsynced, f"answered, and {unsynced} was not synced\n{line}"
            syncs, answers = 0, answers + 1
    return answers

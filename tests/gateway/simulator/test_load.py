"""``receiver simulate load``: what was acknowledged is there exactly once, or it says so."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from receiver.gateway.simulator.load import NONE_OF_OURS, Load
from receiver.gateway.simulator.target import Target
from receiver.store.store import Store
from receiver.store.tables import messages, optouts
from receiver.vocabulary import new_id
from tests import processes
from tests.serving import Server, free_port

pytestmark = pytest.mark.slow  # the whole file: it is begun with


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[Server]:
    with Server(database_url, tmp_path) as server:
        yield server


@pytest.fixture
def store(server: Server) -> Iterator[Store]:
    store = Store(server.database_url, pooled=False)
    yield store
    store.close()


@pytest.fixture(scope="module")
def sqlite_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests that only add to it."""
    directory = tmp_path_factory.mktemp("load")
    with Server(f"sqlite:///{directory / 'receiver.db'}", directory) as server:
        yield server


def run(server: Server, count: int, *, unsubscribes: float = 0.1) -> Load:
    load = Load(Target.of(server.url), connections=8, count=count, unsubscribes=unsubscribes)
    load.start()
    assert load.wait(60)
    return load


def test_a_load_is_stored_exactly_once(server: Server, store: Store) -> None:
    load = run(server, 400)
    account, found = load.account, load.audit(store)
    assert (account.sent, account.acknowledged, account.unanswered, account.unreachable) == (400, 400, 0, 0)
    assert not account.refused
    assert account.unsubscribes_acknowledged == found.in_force == 40
    assert (found.ok, found.stored, found.unpromised) == (True, 400, 0)


def test_a_load_goes_on_while_the_server_is_killed_and_nothing_acknowledged_is_lost(
    server: Server, store: Store
) -> None:
    load = Load(Target.of(server.url), unsubscribes=0.1, timeout=5, patience=None)
    load.start()
    acknowledged = 0
    for _ in range(3):
        time.sleep(0.4)
        server.kill9()
        before, acknowledged = acknowledged, load.account.acknowledged
        assert acknowledged > before
        server.start()
    load.stop()
    account, found = load.account, load.audit(store)
    assert account.unanswered > 0
    assert account.unreachable > 0
    assert found.ok
    assert account.acknowledged + found.unpromised == found.stored


def test_two_runs_in_one_database_are_told_apart(server: Server, store: Store) -> None:
    first, second = run(server, 50), run(server, 60)
    assert (first.audit(store).stored, second.audit(store).stored) == (50, 60)
    assert first.audit(store).ok
    assert second.audit(store).ok


def _lose(connection: Connection, load: Load) -> None:
    connection.execute(delete(messages).where(messages.c.text == load.script.line(7).text))


def _double(connection: Connection, load: Load) -> None:
    row = connection.execute(select(messages).where(messages.c.text == load.script.line(7).text)).mappings().one()
    connection.execute(insert(messages).values({**row, "id": new_id(), "position": row["position"] + 1_000_000}))


def _alter_text(connection: Connection, load: Load) -> None:
    text = load.script.line(7).text
    connection.execute(update(messages).where(messages.c.text == text).values(text=text.replace(" ", "？ ", 1)))


def _alter_phone(connection: Connection, load: Load) -> None:
    connection.execute(update(messages).where(messages.c.text == load.script.line(7).text).values(src="+8615400000000"))


def _alter_beyond_recognition(connection: Connection, load: Load) -> None:
    connection.execute(update(messages).where(messages.c.text == load.script.line(7).text).values(text="?"))


def _lift(connection: Connection, load: Load) -> None:
    connection.execute(delete(optouts).where(optouts.c.phone == load.script.phone(9)))


@pytest.mark.parametrize(
    ("tamper", "faults"),
    [
        (_lose, {"lost": [7]}),
        (_double, {"doubled": [7]}),
        (_alter_text, {"altered": [7]}),
        (_alter_phone, {"altered": [7]}),
        (_alter_beyond_recognition, {"altered": [NONE_OF_OURS], "lost": [7]}),
        (_lift, {"not_in_force": [9]}),
    ],
)
def test_a_fault_in_the_database_is_found(
    sqlite_server: Server, tamper: Callable[[Connection, Load], None], faults: dict[str, list[int]]
) -> None:
    load = run(sqlite_server, 30)
    store = Store(sqlite_server.database_url, pooled=False)
    assert load.audit(store).ok
    with store.writing() as connection:
        tamper(connection, load)
    found = load.audit(store)
    store.close()
    assert not found.ok
    assert {name: getattr(found, name) for name in ("lost", "doubled", "altered", "not_in_force")} == {
        "lost": [],
        "doubled": [],
        "altered": [],
        "not_in_force": [],
    } | faults


def command(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return processes.run("receiver", "simulate", "load", *arguments, cwd=server.directory, env=server.env, text=True)


def test_the_command_prints_the_account(sqlite_server: Server) -> None:
    done = command(sqlite_server, "--count", "200", "--unsubscribes", "0.5")
    result = json.loads(done.stdout)
    assert done.returncode == 0
    assert (result["ok"], result["sent"], result["acknowledged"], result["stored"]) == (True, 200, 200, 200)
    assert (result["lost"], result["stored_twice"], result["altered"]) == (0, 0, 0)
    assert (result["unsubscribes_acknowledged"], result["unsubscribes_in_force"]) == (100, 100)


def test_the_command_says_so_when_the_database_is_another_one(
    sqlite_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = f"sqlite:///{tmp_path / 'other.db'}"
    store = Store(other, pooled=False)
    store.ensure_current()
    store.close()
    monkeypatch.setitem(sqlite_server.env, "RECEIVER_DATABASE_URL", other)
    done = command(sqlite_server, "--count", "20", "--wait", "0", "--format", "table")
    assert done.returncode == 1
    assert "Is that the server's database?" in done.stderr
    assert "NOT everything" in done.stdout


def test_the_command_ends_after_the_seconds_that_were_asked_for(sqlite_server: Server) -> None:
    done = command(sqlite_server, "--seconds", "1", "--charset", "raw-gbk", "--concurrency", "2")
    result = json.loads(done.stdout)
    assert (done.returncode, result["ok"]) == (0, True)
    assert 1 <= result["seconds"] < 4
    assert result["sent"] > 0


def test_the_command_fires_at_this_machine_alone_and_says_when_nobody_is_there(sqlite_server: Server) -> None:
    remote = command(sqlite_server, "--url", "http://192.0.2.1/recv.asp")
    assert (remote.returncode, "--allow-remote" in remote.stderr) == (2, True)
    nobody = command(sqlite_server, "--url", f"http://127.0.0.1:{free_port()}/recv.asp")
    assert (nobody.returncode, "receiver serve" in nobody.stderr) == (3, True)

"""Backups and restores that are killed, have no room, or meet others: whole or not there, and nobody is held up."""

import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from receiver.gateway.simulator.load import Load
from receiver.gateway.simulator.target import Target
from receiver.optout.verify import verify
from receiver.store import backup, tables
from receiver.store.store import Store
from tests import processes
from tests.faults.killed_backup import AFTER_NAME, BEFORE_NAME, IN_ROWS, NOTED, PUT, SCHEMA_MADE
from tests.intake.replies import reply, rows
from tests.postgres import create_database, drop_database
from tests.processes import Process
from tests.serving import Server
from tests.store.every_table import contents, fill
from tests.store.test_backup import NOT_HELD
from tests.store.test_record import WINDOW
from tests.store.test_upgrades import backed_up

pytestmark = pytest.mark.slow

RECEIVER, KILLED = "receiver", "tests.faults.killed_backup"


class Databases:
    """One with rows in every table, and where there is none yet; and the command line over either."""

    def __init__(self, full: str, new: str, folder: Path) -> None:
        self.full, self.new, self.folder = full, new, folder

    def run(self, module: str, *arguments: object, url: str) -> "CompletedProcess[Any]":
        return processes.run(module, *arguments, cwd=self.folder, env=self.env(url))

    def start(self, *arguments: object, url: str) -> Process:
        return Process(RECEIVER, *arguments, cwd=self.folder, env=self.env(url), stdout=-1, stderr=-1)

    def env(self, url: str) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RECEIVER_")}
        return {**inherited, "RECEIVER_DATABASE_URL": url}

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if ".db" not in path.name)

    def holds(self, url: str) -> dict[str, Any] | None:
        """What is in a database, but for the audit; None where it has no tables."""
        with closing(Store(url, pooled=False)) as store:
            if store.revision() is None:
                return None
            return {name: found for name, found in contents(store).items() if name != "audit"}


@pytest.fixture
def databases(store: Store, database_url: str, server_url: Callable[[], str], tmp_path: Path) -> Iterator[Databases]:
    fill(store)
    # More than one piece of a file.
    store.record([reply(f"回复 {number} " + os.urandom(40).hex()) for number in range(1_000)], [], WINDOW)
    is_sqlite = database_url.startswith("sqlite")
    new = f"sqlite:///{tmp_path / 'new.db'}" if is_sqlite else create_database(server_url())
    yield Databases(database_url, new, tmp_path)
    if not is_sqlite:
        drop_database(server_url(), new)


def is_whole(file: Path) -> bool:
    with backup.opened(file) as made:
        made.check(lambda _done, _of: None)
    return True


def test_a_backup_that_is_killed_leaves_no_file_or_a_whole_one_and_the_next_one_cleans_up(
    databases: Databases,
) -> None:
    for step, number in [(IN_ROWS, 7), (BEFORE_NAME, 1), (AFTER_NAME, 1)]:
        killed = databases.run(KILLED, "kill", step, number, "--", "db", "backup", "-o", "a.backup", url=databases.full)
        assert killed.returncode == -9, killed.stderr
        named = step == AFTER_NAME
        assert ("a.backup" in databases.files()) == named
        assert len(databases.files()) == 1 + named  # what was begun
        again = databases.run(RECEIVER, "db", "backup", "-o", "a.backup", "--force", url=databases.full)
        assert again.returncode == 0, again.stderr
        assert databases.files() == ["a.backup"]
        assert is_whole(databases.folder / "a.backup")
        (databases.folder / "a.backup").unlink()


def test_a_restore_that_is_killed_has_changed_nothing_and_can_be_done_again(databases: Databases, store: Store) -> None:
    file = backed_up(store, databases.folder).name
    whole = databases.holds(databases.full)
    assert whole is not None
    store.record([reply("0000", "+8613900007005")], [], WINDOW)
    replaced = databases.holds(databases.full)
    replacing = ["--force", "--yes"]
    for url, options, before, steps in [
        (databases.new, [], None, [(PUT, 20), (NOTED, 1)]),
        (databases.full, replacing, replaced, [(SCHEMA_MADE, 1), (NOTED, 1)]),
    ]:
        for step, number in steps:
            restore = ("db", "restore", file, *options)
            killed = databases.run(KILLED, "kill", step, number, "--", *restore, url=url)
            assert killed.returncode == -9, killed.stderr
            assert databases.holds(url) == before, step
        restored = databases.run(RECEIVER, "db", "restore", file, *options, url=url)
        assert restored.returncode == 0, restored.stderr
        after = databases.holds(url)
        assert after is not None
        changed = {"send_batches", "send_recipients", *NOT_HELD}
        assert [name for name in whole if name not in changed and after[name] != whole[name]] == []


def test_a_backup_without_room_leaves_nothing_and_says_so(databases: Databases, store: Store) -> None:
    old = backed_up(store, databases.folder)
    before = old.read_bytes()
    # Amid its rows, and for want of its last bytes.
    for room, name in ((len(before) // 2, "a.backup"), (len(before) - 10, old.name)):
        backup_ = ("db", "backup", "-o", name, "--force")
        little = databases.run(KILLED, "room", room, 0, "--", *backup_, url=databases.full)
        assert little.returncode == 1, little.stderr
        assert (little.stdout, little.stderr.count(b"\n")) == (b"", 1)
        assert f"can't write {name}".encode() in little.stderr
        assert databases.files() == [old.name]
    assert old.read_bytes() == before


def test_a_restore_without_room_has_changed_nothing_and_says_so(databases: Databases, store: Store) -> None:
    file = backed_up(store, databases.folder)
    restore = ("db", "restore", file.name)
    for room in (50_000, 300_000) if databases.new.startswith("sqlite") else ():
        little = databases.run(KILLED, "room", room, 0, "--", *restore, url=databases.new)
        assert little.returncode == 3, little.stderr
        assert (little.stdout, little.stderr.count(b"\n")) == (b"", 1)
        assert databases.holds(databases.new) is None
    # On PostgreSQL no file is written here: it is its server that needs room.
    enough = (RECEIVER,) if databases.new.startswith("sqlite") else (KILLED, "room", 0, 0, "--")
    assert databases.run(*enough, *restore, url=databases.new).returncode == 0


def test_of_two_at_once_one_is_refused_and_what_is_there_is_whole(databases: Databases) -> None:
    commands = [
        (("db", "backup", "-o", "a.backup"), databases.full, {1}),
        (("db", "restore", "a.backup"), databases.new, {1, 3}),  # 3: it found the database locked
    ]
    for command, url, refused in commands:
        both = [databases.start(*command, url=url) for _ in range(2)]
        said = [process.communicate() for process in both]
        ended = sorted(process.wait() for process in both)
        assert ended[0] == 0, said
        assert ended[1] in refused, said
        assert databases.files() == ["a.backup"]
        assert is_whole(databases.folder / "a.backup")
    with closing(Store(databases.full)) as full, closing(Store(databases.new)) as new:
        assert verify(new).ok
        assert rows(new, tables.ledger) == rows(full, tables.ledger)
        assert rows(new, tables.messages) == rows(full, tables.messages)


class Paused(io.BytesIO):
    """A file that goes on, three times, when so many more replies have been acknowledged."""

    def __init__(self, load: Load, more: int) -> None:
        super().__init__()
        self._load, self._more = load, more
        self._paused = 0

    def write(self, data: Any) -> int:
        if self._paused < 3:
            self._paused += 1
            reached = self._load.account.acknowledged + self._more
            moment = threading.Event()
            while self._load.account.acknowledged < reached and not self._load.account.refused:
                moment.wait(0.01)
        return super().write(data)


def test_replies_are_acknowledged_while_a_backup_is_made(databases: Databases, store: Store, tmp_path: Path) -> None:
    with Server(databases.full, tmp_path) as server:
        load = Load(Target.of(server.url), connections=8, unsubscribes=0.2)
        load.start()
        try:
            # Held amid its tables for as long as these take: who had to wait for it would be refused in five seconds.
            file = Paused(load, 150)
            manifest, _ = backup.back_up(store, file, receiver="test")
        finally:
            load.stop()
        account, audit = load.account, load.audit(store)
    assert not account.refused
    assert account.acknowledged >= 450
    assert (account.unanswered, account.unreachable) == (0, 0)
    assert audit.ok, audit
    assert audit.stored == account.acknowledged

    (tmp_path / "a.backup").write_bytes(file.getvalue())
    with closing(Store(databases.new, pooled=False)) as new:
        with backup.opened(tmp_path / "a.backup") as made:
            backup.restore(new, made, replace=False, noted=lambda _: None)
        assert verify(new).ok
        ledger, now = rows(new, tables.ledger), rows(store, tables.ledger)
        assert len(ledger) == manifest.ledger_sequence < len(now)
        assert ledger == now[: len(ledger)]
        then = rows(new, tables.messages)
        assert {row.id for row in then} < {row.id for row in rows(store, tables.messages)}
        stops = [row.id for row in then if row.kind == "unsubscribe"]
        assert set(stops) == {row.message_id for row in ledger if row.message_id} & set(stops)

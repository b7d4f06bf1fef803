"""``receiver db backup``, ``check-backup`` and ``restore``: what they write, ask, refuse and tell."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from receiver import config
from receiver.intake.spool import spool_of
from receiver.store import audit_log
from receiver.store.migrate import HEAD
from receiver.store.store import Store
from tests.cli.conftest import Filled, Run, on_terminal
from tests.intake.replies import reply, verified_ledger
from tests.postgres import create_database, drop_database
from tests.store.every_table import contents, fill


@pytest.fixture
def filled(filled: Filled) -> Filled:
    fill(filled.store)
    return filled


@pytest.fixture
def empty(
    database_url: str, server_url: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], str]]:
    """Sets the command line to another database of the same kind, in which there is nothing."""
    made: list[str] = []

    def make() -> str:
        is_sqlite = database_url.startswith("sqlite")
        url = f"sqlite:///{tmp_path / 'new' / 'other.db'}" if is_sqlite else create_database(server_url())
        made.append(url)
        monkeypatch.setenv("RECEIVER_DATABASE_URL", url)
        return url

    yield make
    for url in made:
        if not url.startswith("sqlite"):
            drop_database(server_url(), url)


def test_a_backup_is_checked_and_restored(filled: Filled, run: Run, empty: Callable[[], str], tmp_path: Path) -> None:
    before = contents(filled.store)
    made = run("db", "backup", "-o", "a.backup")
    assert (made.status, made.err) == (0, "")
    (said,) = made.rows
    assert said["revision"] == HEAD
    assert said["ledger_head"].startswith("3:")
    assert said["bytes"] == (tmp_path / "a.backup").stat().st_size
    assert stat.S_IMODE((tmp_path / "a.backup").stat().st_mode) == 0o600
    checked = run("db", "check-backup", "a.backup")
    assert (checked.status, checked.err, checked.rows) == (0, "", [said])

    with closing(Store(empty(), pooled=False)) as other:
        restored = run("db", "restore", "a.backup")
        assert restored.status == 0, restored.err
        assert restored.rows == [{**said, "in_doubt": 2, "ledger_ok": True}]
        for word in ("said stop", "optouts import", "2 texts", "keys revoked", "logs in to the console anew"):
            assert word in restored.err
        after = contents(other)
        assert [name for name in ("messages", "ledger", "optouts", "quarantine") if after[name] != before[name]] == []
        assert [row["action"] for row in acts(other)] == ["database.restored", "key.created"]
        assert run("optouts", "verify").status == 0
        again = run("db", "restore", "a.backup")
        assert (again.status, again.out) == (1, "")
        assert "--force" in again.err
        assert contents(other) == after


def acts(store: Store) -> list[Any]:
    with store.reading() as connection:
        return list(audit_log.page(connection, audit_log.Filter(), limit=10))


def test_the_audit_tells_who_backed_up_and_when_it_was_last(sqlite: Filled, run: Run) -> None:
    assert "There was no backup yet" in on_terminal(["db", "current"]).out
    (made,) = run("db", "backup", "-o", "a.backup").rows
    (act,) = acts(sqlite.store)
    assert (act["action"], act["via"]) == ("database.backed-up", "cli")
    assert act["detail"] == {"rows": made["rows"], "file_sha256": made["sha256"]}
    assert "Last backup: 20" in on_terminal(["db", "current"]).out
    assert run("db", "current").err == ""


def test_a_database_that_can_t_be_written_is_backed_up_all_the_same(
    sqlite: Filled, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite.store.writing() as connection:
        connection.execute(text("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END"))
    made = run("db", "backup", "-o", "a.backup")
    assert made.status == 0
    assert "audit does not know" in made.err
    assert run("db", "check-backup", "a.backup").status == 0


def test_replies_in_the_spool_are_told_to_be_missing(sqlite: Filled, run: Run) -> None:
    spool = spool_of(config.load())
    spool.keep([reply("0000")])
    made = run("db", "backup", "-o", "a.backup")
    assert made.status == 0
    assert "1 replies are in the spool" in made.err


def test_a_database_of_an_earlier_release_is_backed_up_before_it_is_upgraded(sqlite: Filled, run: Run) -> None:
    sqlite.store.downgrade("0003")
    made = run("db", "backup", "-o", "a.backup")
    assert (made.status, made.rows[0]["revision"]) == (0, "0003")
    assert "not" in made.err
    assert run("db", "restore", "a.backup").status == 0
    assert sqlite.store.revision() == HEAD


def test_what_is_there_is_kept_unless_it_is_to_be_replaced(sqlite: Filled, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.backup"
    file.write_text("mine")
    file.chmod(0o644)
    refused = run("db", "backup", "-o", file)
    assert (refused.status, refused.out, file.read_text()) == (1, "", "mine")
    assert "--force" in refused.err
    link = tmp_path / "link"
    link.symlink_to(file)
    assert run("db", "backup", "-o", link, "--force").status == 0
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run("db", "check-backup", file).status == 0
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    ("output", "status", "told"),
    [
        ("-", 2, "is a file"),
        ("folder", 1, "no regular file"),
        ("", 1, "no regular file"),
        ("pipe", 1, "no regular file"),
        ("/dev/null", 1, "no regular file"),
        ("missing/a.backup", 1, "No such file or directory"),
        ("file/a.backup", 1, "Not a directory"),
        ("/proc/a.backup", 1, "can't write"),
        ("x" * 300, 1, "File name too long"),
        ("receiver.db", 2, "the database itself"),
        ("folder/../receiver.db-wal", 2, "the database itself"),
    ],
)
def test_where_a_backup_can_t_be_written_is_told_in_a_line(
    sqlite: Filled, run: Run, tmp_path: Path, output: str, status: int, told: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    sqlite.reply(b"src=13900000001&dst=1069&msg=hello")
    before = contents(sqlite.store)
    refused = run("db", "backup", "-o", output, "--force")
    assert (refused.status, refused.out) == (status, "")
    assert told in refused.err
    assert refused.err.count("\n") == 1
    assert leftovers(tmp_path) == []
    assert contents(sqlite.store) == before


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.endswith(".part")]


@pytest.mark.parametrize("name", ["missing", "folder", "pipe", "junk", "receiver.db", "empty"])
def test_what_is_no_backup_is_refused_with_nothing_made(
    sqlite_url: str, run: Run, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "junk").write_bytes(b"13900000001" * 1_000)
    (tmp_path / "empty").touch()
    monkeypatch.setenv("RECEIVER_DATABASE_URL", f"sqlite:///{tmp_path / 'new' / 'other.db'}")
    for command in ("check-backup", "restore"):
        refused = run("db", command, name)
        assert (refused.status, refused.out) == (1, ""), command
        assert refused.err.count("\n") == 1
        assert name in refused.err
        assert "13900000001" not in refused.err
    assert not (tmp_path / "new").exists()


def test_a_backup_is_not_restored_into_a_database_of_another_kind(
    sqlite: Filled, run: Run, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("db", "backup", "-o", "a.backup").status == 0
    monkeypatch.setenv("RECEIVER_DATABASE_URL", postgresql_url)
    refused = run("db", "restore", "a.backup", "--force", "--yes")
    assert (refused.status, refused.out) == (1, "")
    assert "one of its kind" in refused.err


def test_a_server_that_is_down_is_told_without_its_password(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECEIVER_DATABASE_URL", "postgresql+psycopg://nobody:hidden@127.0.0.1:1/none")
    refused = run("db", "backup", "-o", "a.backup")
    assert (refused.status, refused.out) == (3, "")
    assert "hidden" not in refused.err
    assert not Path("a.backup").exists()


def test_people_are_asked_before_anything_is_replaced(sqlite: Filled, run: Run, sqlite_url: str) -> None:
    fill(sqlite.store)
    assert run("db", "backup", "-o", "a.backup").status == 0
    sqlite.reply(b"src=13900000009&dst=1069&msg=0000")
    before = contents(sqlite.store)
    unasked = run("db", "restore", "a.backup", "--force")
    assert (unasked.status, unasked.out) == (2, "")
    assert "--yes" in unasked.err
    asked = on_terminal(["db", "restore", "a.backup", "--force"], answer="n\n")
    assert asked.status == 1
    assert "It is lost" in asked.out
    assert contents(sqlite.store) == before
    agreed = on_terminal(["db", "restore", "a.backup", "--force"], answer="y\n")
    assert agreed.status == 0, agreed.out
    assert len(verified_ledger(sqlite.store)) == 3


def test_a_ledger_that_was_wrong_when_it_was_backed_up_is_told(
    filled: Filled, run: Run, empty: Callable[[], str]
) -> None:
    with filled.store.writing() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        connection.execute(text(f"DROP TRIGGER {'ledger_no_update' if is_sqlite else 'ledger_no_change ON ledger'}"))
        connection.execute(text("UPDATE ledger SET actor = 'somebody' WHERE sequence = 2"))
    assert run("db", "backup", "-o", "a.backup").status == 0
    empty()
    restored = run("db", "restore", "a.backup")
    assert restored.status == 1
    assert restored.rows[0]["ledger_ok"] is False
    assert "event 2 was edited" in restored.err


def test_on_a_terminal_a_backup_is_told_as_a_table(sqlite: Filled) -> None:
    told = on_terminal(["db", "backup", "-o", "a.backup"])
    assert told.status == 0
    assert "ledger_head" in told.out
    assert "{" not in told.out


def test_a_backup_is_good_though_the_spool_can_not_be_read(sqlite: Filled, run: Run, tmp_path: Path) -> None:
    folder = spool_of(config.load()).folder
    folder.parent.mkdir(parents=True)
    folder.write_text("no folder")
    made = run("db", "backup", "-o", "a.backup")
    assert (made.status, len(made.rows)) == (0, 1)
    assert f"Warning: the backup is made; {folder.absolute()} can't be read" in made.err
    assert run("db", "check-backup", "a.backup").rows == made.rows

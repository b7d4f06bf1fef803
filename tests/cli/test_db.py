"""``receiver db``, and what commands say where there is no database."""

from pathlib import Path

import pytest

from receiver.store.migrate import HEAD
from receiver.store.store import Store
from tests.cli.conftest import Filled, Run, on_terminal

READERS = [
    ["messages", "list"],
    ["messages", "show", "01973a5e-7d1c-7b3a-9c11-2f0c8f9a4d21"],
    ["messages", "export"],
    ["quarantine", "list"],
    ["quarantine", "replay", "--all"],
    ["optouts", "list"],
    ["optouts", "check", "13912345678"],
    ["db", "current"],
    ["db", "downgrade", "base", "--yes"],
]


@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
def test_a_missing_file_is_told_and_not_made(arguments: list[str], run: Run, tmp_path: Path) -> None:
    ran = run(*arguments)
    assert (ran.status, ran.out) == (3, "")
    assert ran.err.count("\n") == 1
    assert "receiver db upgrade" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_tables_is_told(empty_database_url: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(empty_database_url).close()
    monkeypatch.setenv("RECEIVER_DATABASE_URL", empty_database_url)
    if empty_database_url.startswith("sqlite"):
        Path(empty_database_url.removeprefix("sqlite:///")).touch()
    for arguments in READERS:
        ran = run(*arguments)
        assert (ran.status, ran.out) == (3, ""), arguments
        assert "receiver db upgrade" in ran.err


def test_a_server_that_is_down_is_status_3(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECEIVER_DATABASE_URL", "postgresql+psycopg://nobody:hidden@127.0.0.1:1/none")
    ran = run("messages", "list")
    assert (ran.status, ran.out) == (3, "")
    assert ran.err.startswith("Error: ")
    assert "hidden" not in ran.err


def test_another_schema_is_told(sqlite: Filled, run: Run) -> None:
    from sqlalchemy import text

    with sqlite.store.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    ran = run("messages", "list")
    assert ran.status == 3
    assert "9999" in ran.err


def test_up_current_and_down(empty_database_url: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECEIVER_DATABASE_URL", empty_database_url)
    assert run("db", "upgrade").out == f"nothing -> {HEAD}\n"
    assert run("db", "upgrade").out == f"{HEAD}: it was there already\n"
    assert run("db", "current").out == f"{HEAD} (head)\n"
    refused = run("db", "downgrade", "base")
    assert refused.status == 2
    assert "--yes" in refused.err
    assert run("db", "current").out == f"{HEAD} (head)\n"
    assert run("db", "downgrade", "base", "--yes").out == f"{HEAD} -> nothing\n"
    assert run("db", "current").status == 3


def test_upgrade_makes_the_folder_of_the_default_database(run: Run, tmp_path: Path) -> None:
    assert run("db", "upgrade").status == 0
    assert (tmp_path / "var" / "receiver.db").exists()


def test_an_unknown_revision_is_wrong_usage(sqlite: Filled, run: Run) -> None:
    for command in (["upgrade"], ["downgrade", "--yes"]):
        ran = run("db", *command, "nonsense")
        assert ran.status == 2, command
        assert "nonsense" in ran.err


@pytest.mark.parametrize(("answer", "current"), [("n\n", 0), ("y\n", 3)])
def test_a_terminal_is_asked_before_rows_are_lost(answer: str, current: int, sqlite: Filled, run: Run) -> None:
    assert "lost" in on_terminal(["db", "downgrade", "base"], answer=answer).out
    assert run("db", "current").status == current

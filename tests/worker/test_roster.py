"""Which tasks there are follows from the settings."""

from pathlib import Path
from typing import Any

import pytest

from receiver.config import Settings
from receiver.store.store import Store
from receiver.worker.lease import LONGEST
from receiver.worker.roster import Parts, chores, task_names, tasks

ACCOUNT = {"gateway_name": "demo", "gateway_password": "secret-word"}


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, ["search-index", "counts", "ledger"]),
        (ACCOUNT, ["search-index", "counts", "ledger", "send"]),
        ({"retention_days": 90}, ["search-index", "counts", "ledger", "retention"]),
        ({**ACCOUNT, "poll": True}, ["search-index", "counts", "ledger", "poll:demo", "send"]),
        (
            {**ACCOUNT, "poll": True, "gateway_name": "n" * 200},
            ["search-index", "counts", "ledger", "poll:" + "n" * 90, "send"],
        ),
    ],
)
def test_there_is_a_task_for_what_is_set_up(given: dict[str, Any], names: list[str], tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, gateway_timeout=300, **given)
    store = Store(settings.url)
    parts = Parts.of(settings, store)
    made = tasks(parts)
    assert [task.name for task in made] == names == task_names(settings)
    # However long a call may take, a lease is no longer than what others wait for at most.
    assert all(task.lease <= LONGEST for task in made)
    assert all(
        settings.gateway_timeout < task.lease
        for task in made
        if task.name not in ("search-index", "counts", "ledger", "retention")
    )
    assert [chore.name for chore in chores(parts)] == ["poll-spool", "push-spool", "killed-imports", "sqlite-log"]
    parts.intake.close()
    store.close()


def test_a_worker_empties_sqlites_log(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    store = Store(settings.url)
    store.ensure_current()
    log = tmp_path / "receiver.db-wal"
    assert log.stat().st_size > 0
    parts = Parts.of(settings, store)
    (chore,) = [chore for chore in chores(parts) if chore.name == "sqlite-log"]
    with store.writing():
        chore.run()  # somebody writes: it waits for nobody, and nobody for it
    assert log.stat().st_size > 0
    chore.run()
    assert log.stat().st_size == 0
    parts.intake.close()
    store.close()


def test_on_postgresql_there_is_no_log_to_empty(postgresql_url: str, tmp_path: Path) -> None:
    store = Store(postgresql_url)
    parts = Parts.of(Settings(database_url=postgresql_url, data_dir=tmp_path), store)
    assert [chore.name for chore in chores(parts)] == ["poll-spool", "push-spool", "killed-imports"]
    assert store.empty_log()
    parts.intake.close()
    store.close()

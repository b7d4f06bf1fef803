"""``receiver worker tasks``: how the tasks stand."""

from datetime import UTC, datetime, timedelta

import pytest

from receiver.store import tasks as statements
from receiver.worker.lease import Lease, Leases
from tests.cli.conftest import Filled, Run, on_terminal


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECEIVER_GATEWAY_NAME", "demo")
    monkeypatch.setenv("RECEIVER_GATEWAY_PASSWORD", "secret-word")
    monkeypatch.setenv("RECEIVER_POLL", "on")


def _fill(filled: Filled) -> Leases:
    """A task in each state."""
    leases = Leases(filled.store)

    def taken(name: str, seconds: float = 100) -> Lease:
        lease = leases.claim(name, leases.look(name), seconds)
        assert lease is not None
        return lease

    taken("poll:demo").finish(0, error="NotSent: no route")
    taken("send").finish(60, detail="2 batches")
    taken("other").finish(60, detail="was here once")
    taken("running")
    taken("stuck", 0.0)
    return leases


def test_each_task_is_listed_with_its_state_its_lag_and_what_went_wrong(filled: Filled, run: Run) -> None:
    leases = _fill(filled)
    ran = run("worker", "tasks")
    assert ran.status == 0
    rows = {row["name"]: row for row in ran.rows}
    assert {name: row["state"] for name, row in rows.items()} == {
        "poll:demo": "failing", "send": "waiting", "other": "off", "running": "running", "stuck": "stuck",
    }  # fmt: skip
    assert (rows["poll:demo"]["failures"], rows["poll:demo"]["error"]) == (1, "NotSent: no route")
    assert (rows["send"]["detail"], rows["send"]["lag"]) == ("2 batches", 0)
    assert rows["send"]["next_run"] > rows["send"]["last_run"]
    assert rows["running"]["holder"] == leases.holder
    assert (rows["running"]["lag"], rows["running"]["next_run"], rows["other"]["lag"]) == (None, None, None)
    assert rows["stuck"]["lag"] >= 0


def test_lag_is_how_long_a_task_is_overdue(filled: Filled, run: Run) -> None:
    with filled.store.writing() as connection:
        past = datetime.now(UTC) - timedelta(seconds=90)
        turns = statements.claim(connection, "send", None, "h", 10, lambda: past)
        assert turns is not None
        statements.finish(connection, "send", turns, 5, clock=lambda: past)
    (row,) = run("worker", "tasks").rows
    assert row["state"] == "waiting"
    assert 85 <= row["lag"] < 120


@pytest.mark.parametrize("form", ["table", "csv"])
def test_it_is_a_list_like_the_others(form: str, sqlite: Filled, run: Run) -> None:
    _fill(sqlite)
    ran = run("worker", "tasks", "--format", form)
    assert ran.status == 0
    for word in ("poll:demo", "failing", "NotSent: no route", "2 batches"):
        assert word in ran.out


def test_on_a_terminal_it_says_which_never_ran(sqlite: Filled) -> None:
    ran = on_terminal(["worker", "tasks"])
    assert ran.status == 0
    assert "Never run yet: search-index, counts, ledger, poll:demo, send" in ran.out


@pytest.mark.parametrize("arguments", [["worker"], ["worker", "tasks"]])
def test_without_a_database_it_is_status_3(arguments: list[str], run: Run) -> None:
    ran = run(*arguments)
    assert ran.status == 3
    assert "receiver db upgrade" in ran.err

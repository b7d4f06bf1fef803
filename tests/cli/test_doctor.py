"""``receiver doctor``: all is well, or what is not, by name and with what mends it."""

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update

from receiver.access import Act, Action
from receiver.access.audit import Via
from receiver.gateway.simulator.gateway import Account, SimulatedGateway
from receiver.intake.spool import Limits, Spool
from receiver.store import refusals, tables
from receiver.store.refusals import Refusal
from receiver.vocabulary import Reason
from receiver.worker.lease import Leases
from tests.cli.conftest import Filled, Ran, Run, on_terminal
from tests.intake.replies import reply

NOW = datetime.now(UTC)


@pytest.fixture
def well(filled: Filled, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Filled]:
    """An installation in which nothing is wrong."""
    monkeypatch.setenv("RECEIVER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("RECEIVER_ALLOWED_SOURCES", "203.81.21.34")
    filled.reply(b"src=13900000001&dst=1069&msg=0000")
    Act(Action.DATABASE_BACKED_UP, "li", Via.CLI, "x").record(filled.store)
    for name in ("search-index", "counts", "ledger", "send"):
        leases = Leases(filled.store)
        lease = leases.claim(name, leases.look(name), 60)
        assert lease is not None
        lease.finish(60)
    with SimulatedGateway([Account("demo", "demo123", balance=77)]) as gateway:
        for what, value in (("URL", gateway.url), ("NAME", "demo"), ("PASSWORD", "demo123")):
            monkeypatch.setenv(f"RECEIVER_GATEWAY_{what}", value)
        yield filled


def not_well(ran: Ran) -> dict[str, tuple[str, str]]:
    return {row["part"]: (row["level"], row["mend"]) for row in ran.rows if row["level"] != "good"}


def test_where_all_is_well_nothing_is_said_to_do(well: Filled, run: Run) -> None:
    ran = run("doctor")
    assert (ran.status, not_well(ran)) == (0, {})
    parts = [row["part"] for row in ran.rows]
    assert {"settings", "schema", "database", "disk", "clock", "ledger", "backup", "gateway", "counts"} <= set(parts)
    assert next(row["says"] for row in ran.rows if row["part"] == "gateway").endswith("77 are left")
    assert "gateway" not in [row["part"] for row in run("doctor", "--offline").rows]
    assert "139" not in ran.out
    assert "demo123" not in ran.out


def test_what_is_not_well_is_named_with_what_mends_it(
    well: Filled, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RECEIVER_CHARST", "auto")
    monkeypatch.setenv("RECEIVER_GATEWAY_PASSWORD", "wrong-word")
    spool = Spool(tmp_path, Limits.of_megabytes(10, 0))
    spool.keep([reply("hello")])
    well.reply(b"src=13900000002&dst=1069&msg=late", at=NOW + timedelta(hours=1))
    with well.store.writing() as connection:
        refused = [Refusal("192.0.2.7", Reason.SOURCE, 3, NOW, NOW), Refusal("203.81.21.34", Reason.TOKEN, 1, NOW, NOW)]
        refusals.add(connection, refused, limit=10, other="others")
        connection.execute(update(tables.ledger_head).values(hash="0" * 64))
        connection.execute(update(tables.tasks).where(tables.tasks.c.name == "counts").values(failures=3, error="gone"))
        connection.execute(text("DELETE FROM audit"))
    ran = run("doctor")
    spool.seal()
    assert ran.status == 1
    assert not_well(ran) == {
        "settings": ("warn", "receiver config"),
        "spool of pushed replies": ("bad", "receiver spool drain"),
        "counts": ("bad", "receiver worker tasks"),
        "clock": ("bad", "timedatectl"),
        "refused source": ("warn", "if it is the gateway: register the callback's URL with the token"),
        "ledger": ("bad", "receiver optouts verify"),
        "backup": ("warn", "receiver db backup -o FILE"),
        "gateway": ("bad", "check RECEIVER_GATEWAY_URL, _NAME and _PASSWORD, and the network"),
    }
    assert "RECEIVER_ALLOWED_SOURCES=203.81.21.34/32,192.0.2.7" in ran.out
    assert "wrong-word" not in ran.out


def test_where_there_is_no_database_the_rest_is_told(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RECEIVER_DATA_DIR", str(tmp_path))
    spool = Spool(tmp_path, Limits.of_megabytes(10, 0))
    spool.keep([reply("hello")])
    spool.seal()
    monkeypatch.setenv("RECEIVER_DATABASE_URL", "postgresql+psycopg://nobody:secret@127.0.0.1:1/none")
    ran = run("doctor")
    assert ran.status == 1
    assert not_well(ran)["database"][0] == "bad"
    assert "secret" not in ran.out
    assert "gateway" in [row["part"] for row in ran.rows]
    said = {row["part"]: row["says"] for row in ran.rows}
    assert f"% free at {tmp_path}" in said["disk"]
    assert not_well(ran)["spool of pushed replies"] == ("bad", "mend the database: then they are stored by themselves")
    assert str(tmp_path / "spool/push") in said["spool of pushed replies"]
    assert said["spool of pulled replies"] == f"nothing waits in {tmp_path / 'spool/poll'}"


def test_while_the_database_takes_no_writes_it_is_what_is_to_be_mended(
    sqlite: Filled, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RECEIVER_DATA_DIR", str(tmp_path))
    spool = Spool(tmp_path, Limits.of_megabytes(10, 0))
    spool.keep([reply("hello")])
    spool.seal()
    with contextlib.closing(sqlite3.connect(tmp_path / "receiver.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        found = not_well(run("doctor", "--offline"))
    assert found["database"][0] == "bad"
    assert found["spool of pushed replies"] == ("bad", "mend the database: then they are stored by themselves")
    assert not_well(run("doctor", "--offline"))["spool of pushed replies"] == ("bad", "receiver spool drain")


def test_an_older_schema_is_told_with_the_way_up(sqlite: Filled, run: Run) -> None:
    sqlite.store.downgrade("-1")
    ran = run("doctor")
    assert (ran.status, not_well(ran)["schema"]) == (1, ("bad", "receiver db upgrade"))


def test_people_see_a_table(sqlite: Filled) -> None:
    shown = on_terminal(["doctor", "--offline"]).out
    assert "what mends it" in shown
    assert "receiver db backup -o FILE" in shown

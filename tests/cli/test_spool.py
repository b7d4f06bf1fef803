"""``receiver spool``: what waits on disk is counted without a database, and stored by hand."""

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from receiver.intake.spool import Limits, Spool, line_of
from receiver.store import audit_log
from receiver.store.tables import messages, optouts
from tests.cli.conftest import Filled, Run, on_terminal
from tests.intake.replies import quarantined, reply, rows


@pytest.fixture
def spool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Spool]:
    monkeypatch.setenv("RECEIVER_DATA_DIR", str(tmp_path / "data"))
    spool = Spool(tmp_path / "data", Limits.of_megabytes(10, 0))
    yield spool
    spool.seal()


def test_what_waits_is_counted_without_a_database(spool: Spool, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECEIVER_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")
    assert [(row["spool"], row["waiting"]) for row in run("spool", "status").rows] == [("pushed", 0), ("pulled", 0)]
    first = reply("hello")
    spool.keep([first, reply("0000"), quarantined()])
    pushed, _ = run("spool", "status").rows
    assert (pushed["waiting"], pushed["stops"], pushed["damaged"], pushed["torn"]) == (3, 1, 0, 0)
    assert pushed["oldest"].startswith(first.received_at.strftime("%Y-%m-%dT%H:%M:%S"))
    assert "39000" not in str(pushed)


def test_people_see_a_table_that_fits_and_what_to_do_about_damage(spool: Spool) -> None:
    spool.keep([reply("hello")])
    spool.seal()
    (path,) = spool.waiting()
    path.rename(path.with_suffix(".damaged"))
    spool.keep([reply("0000")])
    shown = on_terminal(["spool", "status"], columns=80).out
    said = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    heading, pushed, *_ = said.splitlines()
    assert heading.split("  ")[0] == "replies that were"
    assert re.fullmatch(r"pushed +1 +1 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +\d+ bytes *", pushed), said
    assert f"pushed: {spool.folder}\n  1 damaged: for a person" in said
    assert "receiver spool damaged" in said


def test_a_command_from_another_folder_says_where_it_looked(run: Run, tmp_path: Path) -> None:
    ran = run("spool", "status")
    assert [row["folder"] for row in ran.rows] == [str(tmp_path / "var/spool" / name) for name in ("push", "poll")]
    assert f"there is no folder {tmp_path / 'var'}; or it is elsewhere: RECEIVER_DATA_DIR=var" in ran.err
    ran = run("messages", "list")
    assert ran.status == 3
    assert f"no database yet at {tmp_path / 'var/receiver.db'}" in ran.err
    assert "or make that setting absolute" in ran.err


def test_it_is_emptied_by_hand_once(filled: Filled, spool: Spool, run: Run) -> None:
    items = [reply("hello"), reply("0000")]
    spool.keep(items)
    assert run("spool", "drain").rows == [{"stored": 0, "quarantined": 0, "set_aside": 0, "waiting": 2}], (
        "a process that runs writes it"
    )
    spool.seal()
    assert run("spool", "drain").rows == [{"stored": 2, "quarantined": 0, "set_aside": 0, "waiting": 0}]
    assert [row.id for row in rows(filled.store, messages)] == [item.id for item in items]
    assert [row.phone for row in rows(filled.store, optouts)] == ["+8613900005001"]
    assert run("spool", "drain").rows == [{"stored": 0, "quarantined": 0, "set_aside": 0, "waiting": 0}]


def test_what_is_damaged_is_status_1_and_a_database_that_is_away_status_3(
    sqlite: Filled, sqlite_url: str, spool: Spool, run: Run
) -> None:
    spool.keep([reply("hello"), reply("words")])
    spool.seal()
    (path,) = spool.waiting()
    path.write_bytes(path.read_bytes().replace(b"words", b"wOrds"))
    with contextlib.closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ran = run("spool", "drain")
        assert (ran.status, ran.out) == (3, "")
        assert "database" in ran.err
    ran = run("spool", "drain")
    assert (ran.status, ran.rows) == (1, [{"stored": 1, "quarantined": 0, "set_aside": 1, "waiting": 0}])
    assert "wOrds" not in ran.err


WHY = ("--reason", "all who said stop are opted out", "--actor", "li")


def test_a_person_sees_to_what_was_set_aside_before_anything_is_sent(
    filled: Filled, spool: Spool, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, changed = reply("0000", src="+8613900000001"), reply("0000", src="+8613900000002")
    spool.keep([reply("hello")])
    spool.seal()
    (path,) = spool.waiting()
    damaged = path.with_suffix(".damaged")
    path.unlink()
    damaged.write_bytes(line_of(stop) + b"\n" + line_of(changed).replace(b"13900000002", b"13900000003") + b"\n???")
    whole, doubtful, unreadable = run("spool", "damaged", "--reveal").rows
    assert (whole["read"], whole["stop"], whole["phone"]) == ("whole", True, "+8613900000001")
    assert (doubtful["read"], doubtful["stop"], doubtful["phone"]) == ("doubtful", True, "+8613900000003")
    assert (unreadable["read"], unreadable["stop"], unreadable["content"]) == ("unreadable", None, "???")
    masked = run("spool", "damaged")
    assert "139000000" not in masked.out
    assert masked.rows[0]["phone"] == "+86139****0001"

    refused = run("spool", "settle", damaged.name, *WHY)
    assert (refused.status, "not opted out" in refused.err) == (1, True)
    assert not spool.is_clear()
    run("optouts", "add", "13900000001", *WHY)
    settled = run("spool", "settle", damaged, *WHY)
    assert (settled.status, settled.out) == (0, f"{damaged.stem}.settled: it holds no sends any more\n")
    assert spool.is_clear()
    with filled.store.reading() as connection:
        noted = audit_log.page(connection, audit_log.Filter("spool.settled", None, None), limit=10)
    assert [(row["actor"], row["target"], row["detail"]) for row in noted] == [("li", damaged.name, {"reason": WHY[1]})]
    again = run("spool", "settle", damaged.name, *WHY)
    assert (again.status, "no such damaged file" in again.err) == (1, True)

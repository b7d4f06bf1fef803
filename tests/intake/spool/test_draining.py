"""The spool is emptied into either database: stops first, everything once, and what can't be read harms nothing."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from receiver.intake.outcome import Outcome
from receiver.intake.spool import CannotStore, Drained, Draining, Limits, Spool, Spooled, line_of, pieces
from receiver.intake.writer import Writer
from receiver.store import tables
from receiver.store.errors import Unavailable
from receiver.store.store import Store
from receiver.vocabulary import Reply
from tests.intake.replies import quarantined, reply, rows, verified_ledger
from tests.store.test_record import WINDOW

LIMITS = Limits.of_megabytes(100, 0)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "data", LIMITS)


@pytest.fixture
def draining(spool: Spool, store: Store) -> Draining:
    return Draining(spool, store, WINDOW, lambda _: False)


def keep(spool: Spool, *items: Spooled) -> None:
    spool.keep(items)
    spool.seal()


def test_everything_is_stored_with_its_id_time_and_consequences(spool: Spool, draining: Draining, store: Store) -> None:
    items: list[Reply] = [reply("a"), reply("0000"), reply("b")]
    keep(spool, *items)
    kept = quarantined()
    keep(spool, kept)
    assert draining.run() == Drained(stored=4)
    assert spool.is_empty()
    assert [(row.id, row.text, row.received_at) for row in rows(store, tables.messages)] == [
        (item.id, item.delivery.text, item.received_at) for item in items
    ]
    assert [row.id for row in rows(store, tables.quarantine)] == [kept.id]
    (event,) = verified_ledger(store)
    assert (event.type, event.message_id) == ("opted_out", items[1].id)
    assert [row.since for row in rows(store, tables.optouts)] == [items[1].received_at]


def test_stops_of_all_files_are_in_force_before_anything_else_is_stored(
    spool: Spool, draining: Draining, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    write = Writer.write

    def watched(self: Writer, batch: Sequence[Any]) -> list[Outcome]:
        written.extend(item.delivery.text for item in batch)
        return write(self, batch)

    monkeypatch.setattr(Writer, "write", watched)
    keep(spool, reply("a"))
    keep(spool, reply("b"), reply("0000"))
    draining.run()
    assert written == ["0000", "a", "b", "0000"]


def test_what_was_stored_before_is_not_stored_again(spool: Spool, draining: Draining, store: Store) -> None:
    known, new, stop = reply("known"), reply("new"), reply("0000")
    store.record([known, stop], [], WINDOW)
    keep(spool, known, stop, new)
    draining.run()
    assert sorted(row.id for row in rows(store, tables.messages)) == sorted([known.id, stop.id, new.id])
    assert len(verified_ledger(store)) == 1


def test_damaged_and_torn_parts_are_set_aside_with_their_bytes(
    spool: Spool, draining: Draining, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    items = [reply("a"), reply("secret words"), reply("c")]
    keep(spool, *items)
    (path,) = spool.waiting()
    content = path.read_bytes()
    torn = line_of(reply("torn"))[:-40]
    path.write_bytes(content.replace(b"secret words", b"secret wOrds") + torn)
    assert draining.run() == Drained(stored=2, set_aside=1)
    assert [row.id for row in rows(store, tables.messages)] == [items[0].id, items[2].id]
    (damaged,) = spool.folder.glob("*.damaged")
    assert b"secret wOrds" in damaged.read_bytes()
    (end,) = spool.folder.glob("*.torn")
    assert end.read_bytes() == torn[1:]
    status = spool.status()
    assert (status.waiting, status.damaged, status.torn) == (0, 1, 1)
    assert not spool.is_clear(), "it may have been an unsubscribe, and it was acknowledged"
    spool.settle(damaged)
    assert spool.is_clear()
    assert b"secret wOrds" in damaged.with_suffix(".settled").read_bytes()
    assert "secret" not in caplog.text
    assert str(damaged) in caplog.text


def test_the_end_of_a_write_that_was_never_acknowledged_holds_no_sends(spool: Spool, draining: Draining) -> None:
    keep(spool, reply("a"))
    (path,) = spool.waiting()
    path.write_bytes(path.read_bytes() + line_of(reply("0000"))[:-2])
    assert draining.run() == Drained(stored=1)
    assert spool.status().torn == 1
    assert spool.is_clear()


def test_what_another_version_wrote_is_left_and_blocks_nothing(spool: Spool, draining: Draining, store: Store) -> None:
    keep(spool, reply("a"))
    keep(spool, reply("b"))
    first, _ = spool.waiting()
    first.write_bytes(first.read_bytes().replace(b"receiver-push 1", b"receiver-push 2"))
    assert draining.run() == Drained(stored=1)
    assert [row.text for row in rows(store, tables.messages)] == ["b"]
    assert spool.waiting() == [first]
    assert spool.status().other_versions == 1
    assert not spool.is_clear()


def test_what_the_database_refuses_in_any_form_is_set_aside_and_blocks_nothing(
    spool: Spool, draining: Draining, store: Store
) -> None:
    with store.writing() as connection:
        for table in ("messages", "quarantine"):
            if connection.dialect.name == "postgresql":
                check = "position('poison'::bytea in raw) = 0" if table == "quarantine" else "dst <> 'poison'"
                connection.execute(text(f"ALTER TABLE {table} ADD CONSTRAINT poison CHECK ({check})"))
            else:
                check = "instr(NEW.raw, 'poison')" if table == "quarantine" else "NEW.dst = 'poison'"
                connection.exec_driver_sql(
                    f"CREATE TRIGGER poison_{table} BEFORE INSERT ON {table} WHEN {check} "
                    "BEGIN SELECT RAISE(ABORT, 'poison'); END"
                )
    poison = reply("0000", dst="poison")
    keep(spool, reply("a"), poison, reply("b"))
    assert draining.run() == Drained(stored=2, set_aside=1)
    assert [row.text for row in rows(store, tables.messages)] == ["a", "b"]
    assert rows(store, tables.optouts) == []
    (damaged,) = spool.folder.glob("*.damaged")
    assert [(piece.item, piece.is_whole, piece.stop) for piece in pieces(damaged)] == [
        (poison, True, poison.delivery.src)
    ]
    assert spool.is_empty()
    assert not spool.is_clear(), "who said stop in it would be sent to"


def test_while_the_database_is_away_nothing_is_taken_out(
    spool: Spool, draining: Draining, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> Any:
        raise Unavailable("gone")

    keep(spool, reply("a"), reply("0000"))
    monkeypatch.setattr(Store, "record", away)
    with pytest.raises(CannotStore):
        draining.run()
    monkeypatch.setattr(Store, "probe", away)
    with pytest.raises(Unavailable):
        draining.run()
    monkeypatch.undo()
    assert draining.run() == Drained(stored=2)


def test_two_at_once_store_everything_once(spool: Spool, store: Store) -> None:
    for file in range(6):
        keep(spool, *(reply(f"{file} {number}") for number in range(20)), reply("0000"))
    found: list[Drained] = []
    threads = [
        threading.Thread(target=lambda: found.append(Draining(spool, store, WINDOW, lambda _: False).run()))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    Draining(spool, store, WINDOW, lambda _: False).run()
    assert spool.is_empty()
    assert len(rows(store, tables.messages)) == 6 * 21
    assert len(verified_ledger(store)) == 6  # one for each stop, as if it had been stored at once
    assert len(rows(store, tables.optouts)) == 1


DRAINER = """
import sys
from datetime import timedelta
from pathlib import Path
from receiver.intake.spool import Draining, Limits, Spool
from receiver.store.store import Store
def wait(_):
    print("wrote", flush=True)
    sys.stdin.readline()
Draining(Spool(Path(sys.argv[1]), Limits(0, 0)), Store(sys.argv[2]), timedelta(seconds=120), wait).run()
"""


@pytest.mark.parametrize("transactions", [1, 2, 3])
def test_a_drain_that_is_killed_is_completed_by_the_next_and_nothing_is_stored_twice(
    spool: Spool, draining: Draining, store: Store, database_url: str, tmp_path: Path, transactions: int
) -> None:
    items = [*(reply(f"{number}") for number in range(600)), reply("0000")]
    keep(spool, *items)
    command = [sys.executable, "-c", DRAINER, str(tmp_path / "data"), database_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        for number in range(transactions):
            assert process.stdout.readline() == "wrote\n"
            if number + 1 < transactions:
                process.stdin.write("go on\n")
                process.stdin.flush()
        process.send_signal(signal.SIGKILL)
    before = len(rows(store, tables.messages))
    assert 0 < before < len(items)
    draining.run()
    assert [row.id for row in rows(store, tables.messages)] == sorted(item.id for item in items)
    assert len(verified_ledger(store)) == 1
    assert spool.is_empty()


def test_a_file_that_can_not_be_read_holds_sends_and_keeps_no_other_from_being_stored(
    spool: Spool, draining: Draining, store: Store
) -> None:
    keep(spool, reply("a"))
    folder, pipe = (spool.folder / f"{UUID(int=number)}.push" for number in (1, 2))
    folder.mkdir()
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="regular file"):
        draining.run()
    assert [row.text for row in rows(store, tables.messages)] == ["a"]
    assert spool.waiting() == [folder, pipe]
    assert not spool.is_clear()
    assert spool.status().unreadable == 2


def test_however_many_files_there_are_all_stops_come_first_and_none_is_left(
    spool: Spool, draining: Draining, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def noted(_: Writer, batch: Sequence[Any]) -> list[Outcome]:
        written.extend(item.delivery.text for item in batch)
        return [Outcome.STORED] * len(batch)

    monkeypatch.setattr(Writer, "write", noted)
    for _ in range(250):
        keep(spool, reply("a"))
    keep(spool, reply("0000"))
    assert draining.run() == Drained(stored=251)
    assert written[0] == "0000"
    assert spool.is_empty()

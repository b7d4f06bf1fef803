"""An intake whose database fails: everything goes into the spool at once, and into the database when that is back."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from receiver.intake import Intake, Outcome, fallback
from receiver.intake.spool import Limits, Spool, draining
from receiver.store import tables
from receiver.store.engine import LOCK_TIMEOUT
from receiver.store.errors import Refused, Unavailable
from receiver.store.store import Store
from tests.intake.replies import delivery, reply, rows, undeliverable
from tests.store.test_record import WINDOW

TIMEOUT = 0.5


class Flaky(Store):
    """A database that fails, hangs or works, as it is told."""

    how: Callable[[], None] = staticmethod(lambda: None)
    asked = 0

    def record(self, *given: Any) -> None:
        self.asked += 1
        self.how()
        super().record(*given)

    def probe(self, waits: float = LOCK_TIMEOUT) -> None:
        self.how()
        super().probe(waits)


def fail() -> None:
    raise Unavailable("gone")


def refuse() -> None:
    raise Refused("no")


def hanging_until(goes_on: threading.Event) -> Callable[[], None]:
    def hang() -> None:
        goes_on.wait()

    return hang


@pytest.fixture
def flaky(database_url: str) -> Iterator[Flaky]:
    store = Flaky(database_url)
    yield store
    store.close()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "data", Limits.of_megabytes(10, 0))


@pytest.fixture
def intake(flaky: Flaky, spool: Spool) -> Iterator[Intake]:
    opened = Intake(flaky, duplicate_window=WINDOW, timeout=TIMEOUT, max_waiting=50, spool=spool)
    yield opened
    opened.close()


def texts(store: Store) -> list[str]:
    return [row.text for row in rows(store, tables.messages)]


def eventually(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def accept_all(intake: Intake, said: Sequence[str]) -> list[Outcome]:
    return [intake.accept(delivery(text)) for text in said]


def test_what_fails_is_in_the_spool_and_nothing_more_is_asked_of_the_database(
    intake: Intake, flaky: Flaky, spool: Spool
) -> None:
    assert accept_all(intake, ["a"]) == [Outcome.STORED]
    flaky.how = fail
    asked = flaky.asked
    assert accept_all(intake, ["b", "0000", "c"]) == [Outcome.STORED] * 3
    assert intake.quarantine(undeliverable()) is Outcome.STORED
    assert flaky.asked == asked + 1
    assert spool.status().waiting == 4
    assert intake.is_ready()
    flaky.how = lambda: None
    eventually(spool.is_empty)
    assert texts(flaky) == ["a", "b", "0000", "c"]
    assert len(rows(flaky, tables.quarantine)) == len(rows(flaky, tables.optouts)) == 1
    assert accept_all(intake, ["d"]) == [Outcome.STORED]
    assert texts(flaky)[-1] == "d"
    assert spool.is_empty()


def test_what_somebody_puts_into_the_spool_of_an_idle_receiver_is_stored(
    intake: Intake, flaky: Flaky, spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fallback, "_LOOK_EVERY", 0.05)
    flaky.how = fail
    assert accept_all(intake, ["a"]) == [Outcome.STORED]
    flaky.how = lambda: None
    eventually(spool.is_empty)
    of_another_machine = Spool(tmp_path / "another", Limits.of_megabytes(10, 0))
    of_another_machine.keep([reply("0000")])
    of_another_machine.seal()
    (left,) = of_another_machine.waiting()
    left.rename(spool.folder / left.name)
    eventually(spool.is_empty)
    assert texts(flaky) == ["a", "0000"]
    assert len(rows(flaky, tables.optouts)) == 1


def test_what_hangs_is_in_the_spool_after_the_timeout_and_stored_once(
    intake: Intake, flaky: Flaky, spool: Spool
) -> None:
    goes_on = threading.Event()
    flaky.how = hanging_until(goes_on)
    assert accept_all(intake, ["a"]) == [Outcome.STORED]
    began = flaky.asked
    assert accept_all(intake, [f"{number}" for number in range(20)]) == [Outcome.STORED] * 20
    assert flaky.asked == began, "they waited for a database that hangs"
    assert spool.status().waiting == 21
    goes_on.set()
    eventually(spool.is_empty)
    assert texts(flaky) == ["a", *(f"{number}" for number in range(20))]


def test_many_that_come_while_it_hangs_are_not_turned_away(intake: Intake, flaky: Flaky, spool: Spool) -> None:
    goes_on = threading.Event()
    flaky.how = hanging_until(goes_on)
    outcomes: list[Outcome] = []
    threads = [
        threading.Thread(target=lambda number=number: outcomes.append(intake.accept(delivery(f"{number}"))))
        for number in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [Outcome.STORED] * 40
    goes_on.set()
    eventually(spool.is_empty)
    assert sorted(texts(flaky)) == sorted(f"{number}" for number in range(40))


def test_what_the_database_refuses_is_no_reason_for_the_spool(intake: Intake, flaky: Flaky, spool: Spool) -> None:
    flaky.how = refuse
    assert accept_all(intake, ["a"]) == [Outcome.REFUSED]
    assert spool.is_empty()


def test_a_spool_that_can_not_be_emptied_keeps_nobody_from_the_database(
    intake: Intake, flaky: Flaky, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Spool, "remove", full)
    flaky.how = fail
    accept_all(intake, ["a"])
    flaky.how = lambda: None
    eventually(lambda: texts(flaky) == ["a"])
    eventually(lambda: accept_all(intake, ["b"]) == [Outcome.STORED] and "b" in texts(flaky))
    monkeypatch.undo()
    eventually(spool.is_empty)
    assert texts(flaky).count("a") == 1


def test_what_comes_while_a_long_line_is_stored_does_not_join_it(
    intake: Intake, flaky: Flaky, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "_AT_ONCE", 1)
    goes_on = threading.Event()
    turns: list[None] = []

    def stop_after_the_first() -> None:
        if threading.current_thread().name == "spool-drain":
            turns.append(None)
            assert len(turns) <= 2 or goes_on.wait(30)  # it asks whether it can, and stores one

    flaky.how = fail
    accept_all(intake, ["a", "b", "c"])
    flaky.how = stop_after_the_first
    eventually(lambda: texts(flaky) == ["a"])
    eventually(lambda: accept_all(intake, ["d"]) == [Outcome.STORED] and "d" in texts(flaky))
    assert "b" not in texts(flaky)
    goes_on.set()
    eventually(spool.is_empty)
    assert set(texts(flaky)) == {"a", "b", "c", "d"}


def test_what_nothing_takes_is_unavailable(intake: Intake, flaky: Flaky, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no folder")
    flaky.how = fail
    assert accept_all(intake, ["a", "b"]) == [Outcome.UNAVAILABLE] * 2
    assert not intake.is_ready()
    flaky.how = lambda: None
    assert accept_all(intake, ["c"]) == [Outcome.STORED]
    assert texts(flaky) == ["c"]


def test_what_one_process_left_another_stores_when_it_starts(
    intake: Intake, flaky: Flaky, spool: Spool, tmp_path: Path
) -> None:
    flaky.how = fail
    accept_all(intake, ["a", "0000"])
    intake.close()
    assert not spool.is_empty()
    flaky.how = lambda: None
    again = Intake(
        flaky, duplicate_window=WINDOW, timeout=TIMEOUT, max_waiting=50,
        spool=Spool(tmp_path / "data", Limits.of_megabytes(10, 0)),
    )  # fmt: skip
    eventually(spool.is_empty)
    again.close()
    assert texts(flaky) == ["a", "0000"]
    assert len(rows(flaky, tables.optouts)) == 1


@pytest.mark.parametrize("taken", ["deleted", "moved", "cut", "folder deleted"])
def test_what_was_acknowledged_survives_its_file(intake: Intake, flaky: Flaky, spool: Spool, taken: str) -> None:
    flaky.how = fail
    assert accept_all(intake, ["a", "0000"]) == [Outcome.STORED] * 2
    # Held open by whoever writes it; the next to write, or to empty, finds that it is gone.
    for path in spool.waiting():
        if taken == "moved":
            path.rename(path.with_suffix(".aside"))
        elif taken == "cut":
            os.truncate(path, 0)
        else:
            path.unlink()
    if taken == "folder deleted":
        spool.folder.rmdir()
    assert accept_all(intake, ["b"]) == [Outcome.STORED]
    flaky.how = lambda: None
    eventually(lambda: sorted(texts(flaky)) == ["0000", "a", "b"])
    eventually(spool.is_empty)
    assert len(rows(flaky, tables.optouts)) == 1


def test_a_spool_that_can_not_be_written_is_not_ready_until_it_can(
    intake: Intake, flaky: Flaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: Any) -> None:
        raise PermissionError("not yours")

    monkeypatch.setattr(Spool, "keep", forbidden)
    flaky.how = fail
    assert accept_all(intake, ["a"]) == [Outcome.UNAVAILABLE]
    assert not intake.is_ready()
    monkeypatch.undo()
    assert intake.is_ready()


def test_a_disk_that_hangs_is_not_waited_for_at_the_end(
    flaky: Flaky, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(fallback, "CLOSE_WITHIN", 0.05)
    monkeypatch.setattr(spool, "keep", lambda _items: goes_on.wait())
    flaky.how = fail
    opened = Intake(flaky, duplicate_window=WINDOW, timeout=TIMEOUT, max_waiting=50, spool=spool)
    assert opened.accept(delivery("a")) is Outcome.UNAVAILABLE
    closing = threading.Thread(target=opened.flush, daemon=True)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()
    goes_on.set()

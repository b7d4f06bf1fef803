"""Intake on real databases: two processes at once, rows that the database refuses, and refusals that stay bounded."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from receiver.intake import Intake, Outcome, refusals
from receiver.intake.refusals import OTHER, Refusals
from receiver.intake.writer import Writer
from receiver.store import tables
from receiver.store.store import Store
from receiver.vocabulary import Quarantined, Reason, Reply, Undeliverable
from tests.intake.replies import delivery, quarantined, reply, rows, undeliverable, verified_ledger

NewIntake = Callable[..., Intake]
WINDOW = timedelta(seconds=120)
STORED, QUARANTINED, UNAVAILABLE = Outcome.STORED, Outcome.QUARANTINED, Outcome.UNAVAILABLE


def at_once(count: int, call: Callable[[int], Any]) -> list[Any]:
    """What ``count`` threads get from ``call``, started together."""
    start = threading.Barrier(count)

    def one(number: int) -> Any:
        start.wait()
        return call(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_of_64_same_replies_at_once_in_two_processes_exactly_one_is_the_first(
    store: Store, new_intake: NewIntake
) -> None:
    processes = [new_intake(), new_intake()]
    for round_ in range(5):
        same = delivery(f"hello {round_}")
        outcomes = at_once(64, lambda number, same=same: processes[number % 2].accept(same))  # type: ignore[misc]
        assert outcomes == [STORED] * 64
        stored = [row for row in rows(store, tables.messages) if row.text == same.text]
        assert len(stored) == 64
        (first,) = [row for row in stored if row.duplicate_of is None]
        originals = {row.id: row.duplicate_of for row in stored}
        for row in stored:
            if row is not first:
                assert row.duplicate_of in originals
                assert row.duplicate_of != row.id
                assert _followed(originals, row.id) == first.id


def _followed(originals: dict[Any, Any], start: Any) -> Any:
    """The end of the chain of duplicates that begins at ``start``."""
    seen = set()
    while originals[start] is not None:
        assert start not in seen, "duplicates of each other"
        seen.add(start)
        start = originals[start]
    return start


def test_different_replies_at_once_are_no_duplicates(store: Store, new_intake: NewIntake) -> None:
    processes = [new_intake(), new_intake()]
    outcomes = at_once(64, lambda number: processes[number % 2].accept(delivery(src=f"+861390000{number:04}")))
    assert outcomes == [STORED] * 64
    assert {row.duplicate_of for row in rows(store, tables.messages)} == {None}


def test_of_200_unsubscribes_at_once_of_one_phone_one_opts_out_and_the_others_repeat_it(
    store: Store, new_intake: NewIntake
) -> None:
    processes = [new_intake(), new_intake()]
    outcomes = at_once(200, lambda number: processes[number % 2].accept(delivery("0000")))
    assert outcomes == [STORED] * 200
    events = verified_ledger(store)
    assert Counter(event.type for event in events) == {"opted_out": 1, "repeated": 199}
    assert events[0].type == "opted_out"
    assert {event.message_id for event in events} == {row.id for row in rows(store, tables.messages)}
    (optout,) = rows(store, tables.optouts)
    assert (optout.phone, optout.source, optout.message_id) == ("+8613900005001", "sms", events[0].message_id)


def test_unsubscribes_of_many_phones_at_once_make_one_chain(store: Store, new_intake: NewIntake) -> None:
    processes = [new_intake(), new_intake()]
    phones = [f"+86139000060{number:02}" for number in range(50)]

    def stop(number: int) -> Outcome:
        phone = phones[number % 50]
        if number % 5 == 0:
            return processes[number % 2].quarantine(undeliverable(unsubscribes=phone))
        return processes[number % 2].accept(delivery("0000", phone))

    assert at_once(100, stop) == [STORED] * 100
    assert Counter(event.type for event in verified_ledger(store)) == {"opted_out": 50, "repeated": 50}
    assert [row.phone for row in rows(store, tables.optouts)] == phones


def test_one_commit_serves_all_that_wait(store: Store, database_url: str) -> None:
    slow = Slow(database_url)
    intake = Intake(slow, duplicate_window=WINDOW, timeout=30, max_waiting=1_000)
    commits: list[object] = []
    count = commits.append
    with ThreadPoolExecutor(201) as pool:
        first = pool.submit(intake.accept, delivery("first"))
        assert slow.reached.wait(30)
        event.listen(Engine, "commit", count)
        others = [pool.submit(intake.accept, delivery(f"{number}")) for number in range(200)]
        until(lambda: sum(answer.running() for answer in others) == 200)
        time.sleep(0.2)  # all of them have started, and now all of them wait
        slow.open.set()
        assert [answer.result(30) for answer in [first, *others]] == [STORED] * 201
    event.remove(Engine, "commit", count)
    intake.close()
    slow.close()
    assert len(rows(store, tables.messages)) == 201
    assert len(commits) == 2


class Slow(Store):
    """Waits with what it is to record until it is opened."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.reached, self.open = threading.Event(), threading.Event()

    def record(self, replies: Sequence[Reply], kept: Sequence[Quarantined], duplicate_window: timedelta) -> None:
        self.reached.set()
        assert self.open.wait(30)
        super().record(replies, kept, duplicate_window)


@pytest.fixture
def poisoned(store: Store) -> Store:
    """A database that refuses any message whose text is ``poison``, and quarantine of ``poison`` too."""
    with store.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE messages ADD CONSTRAINT poison CHECK (text <> 'poison')"))
            connection.execute(text("ALTER TABLE quarantine ADD CONSTRAINT poison CHECK (detail <> 'poison')"))
        else:
            for table, column in (("messages", "text"), ("quarantine", "detail")):
                connection.exec_driver_sql(
                    f"CREATE TRIGGER poison_{table} BEFORE INSERT ON {table} WHEN NEW.{column} = 'poison' "
                    "BEGIN SELECT RAISE(ABORT, 'poison'); END"
                )
    return store


@pytest.mark.parametrize("size", [1, 2, 3, 64])
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_row_that_the_database_refuses_is_set_aside_alone(poisoned: Store, size: int, place: str) -> None:
    batch = [reply(f"good {number}") for number in range(size)]
    bad = 0 if place == "first" else size - 1
    batch[bad] = reply("poison")
    outcomes = Writer(poisoned, WINDOW).write(batch)
    assert outcomes == [QUARANTINED if number == bad else STORED for number in range(size)]
    assert [row.id for row in rows(poisoned, tables.messages)] == [
        each.id for number, each in enumerate(batch) if number != bad
    ]
    (kept,) = rows(poisoned, tables.quarantine)
    assert (kept.reason, kept.peer) == ("refused-by-database", "203.81.21.34")
    assert kept.raw == b"src=%2B8613900005001&dst=10690001&msg=poison"
    assert kept.received_at == batch[bad].received_at


def test_many_poisonous_rows_are_set_aside_and_the_good_ones_stored(poisoned: Store) -> None:
    batch = [reply("poison" if number % 3 == 0 else f"good {number}") for number in range(30)]
    outcomes = Writer(poisoned, WINDOW).write(batch)
    assert outcomes == [QUARANTINED if number % 3 == 0 else STORED for number in range(30)]
    assert (len(rows(poisoned, tables.messages)), len(rows(poisoned, tables.quarantine))) == (20, 10)


def test_the_unsubscribe_in_a_row_that_is_set_aside_is_in_force(store: Store) -> None:
    with store.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE messages ADD CONSTRAINT poison CHECK (text <> '0000')"))
        else:
            connection.exec_driver_sql(
                "CREATE TRIGGER poison BEFORE INSERT ON messages WHEN NEW.text = '0000' "
                "BEGIN SELECT RAISE(ABORT, 'poison'); END"
            )
    assert Writer(store, WINDOW).write([reply("hello"), reply("0000")]) == [STORED, QUARANTINED]
    assert [row.phone for row in rows(store, tables.optouts)] == ["+8613900005001"]
    (event,) = verified_ledger(store)
    (kept,) = rows(store, tables.quarantine)
    assert (event.type, event.message_id, event.detail["quarantine_id"]) == ("opted_out", None, str(kept.id))


def test_what_not_even_quarantine_takes_is_refused_and_takes_nobody_with_it(poisoned: Store) -> None:
    bad = replace(quarantined(), undeliverable=Undeliverable(Reason.METHOD, "poison", b"x"))
    batch: list[Reply | Quarantined] = [reply("good"), bad, quarantined()]
    assert Writer(poisoned, WINDOW).write(batch) == [STORED, Outcome.REFUSED, STORED]
    assert (len(rows(poisoned, tables.messages)), len(rows(poisoned, tables.quarantine))) == (1, 1)


def test_a_poisonous_row_among_threads_harms_nobody_else(poisoned: Store, new_intake: NewIntake) -> None:
    intake = new_intake()
    outcomes = at_once(40, lambda number: intake.accept(delivery("poison" if number == 7 else f"good {number}")))
    assert outcomes == [QUARANTINED if number == 7 else STORED for number in range(40)]


def test_an_intake_is_ready_while_its_database_is(new_intake: NewIntake, store: Store) -> None:
    intake = new_intake(timeout=10)
    assert intake.is_ready()
    with store.writing() as connection:
        connection.execute(text("ALTER TABLE ledger_head RENAME TO ledger_head_away"))
    assert not intake.is_ready()
    assert rows(store, tables.messages) == []


def test_closing_an_intake_stores_what_was_accepted(store: Store, new_intake: NewIntake) -> None:
    intake = new_intake()
    with ThreadPoolExecutor(50) as pool:
        waiting = [pool.submit(intake.accept, delivery(f"{number}")) for number in range(50)]
        until(lambda: any(answer.done() for answer in waiting))
        intake.close()
        outcomes = [answer.result(30) for answer in waiting]
    assert set(outcomes) <= {STORED, Outcome.BUSY}
    assert len(rows(store, tables.messages)) == outcomes.count(STORED)
    assert intake.accept(delivery("late")) is Outcome.BUSY


REFUSED = Undeliverable(Reason.SOURCE, "", b"src=1&dst=1&msg=a")


def test_refusals_of_a_thousand_sources_are_counted_and_the_rest_together(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "SOURCES", 10)
    account = Refusals(store)
    for number in range(25):
        for _ in range(2):
            account.note(f"198.51.100.{number}", REFUSED)
    account.close()
    counted = {row.peer: row["count"] for row in rows(store, tables.refusals)}
    assert counted == {f"198.51.100.{number}": 2 for number in range(10)} | {OTHER: 30}
    # In the database it is bounded over all processes and restarts too.
    another = Refusals(store)
    for number in (0, 99):
        another.note(f"198.51.100.{number}", REFUSED)
    another.close()
    counted = {row.peer: row["count"] for row in rows(store, tables.refusals)}
    assert (len(counted), counted["198.51.100.0"], counted[OTHER]) == (11, 3, 31)


def test_how_many_refused_deliveries_are_kept_is_bounded_over_restarts(
    store: Store, new_intake: NewIntake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "KEPT_PER_SOURCE", 3)
    monkeypatch.setattr(refusals, "FLUSH_SECONDS", 0.05)
    for _ in range(3):
        intake = new_intake()
        for _ in range(10):
            intake.refuse(REFUSED, peer="198.51.100.7")
        intake.close()
    (counted,) = rows(store, tables.refusals)
    assert counted["count"] == 30
    assert len(rows(store, tables.quarantine)) == 3


def test_refusals_that_can_not_be_written_now_are_not_forgotten(store: Store) -> None:
    account = Refusals(store)
    account.note("198.51.100.7", REFUSED)
    with store.writing() as connection:
        connection.execute(text("ALTER TABLE refusals RENAME TO refusals_away"))
    with pytest.raises(Exception, match="refusals"):
        account.flush()
    account.note("198.51.100.7", REFUSED)
    with store.writing() as connection:
        connection.execute(text("ALTER TABLE refusals_away RENAME TO refusals"))
    account.close()
    (counted,) = rows(store, tables.refusals)
    assert counted["count"] == 2
    assert counted.first_at < counted.last_at


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.002)

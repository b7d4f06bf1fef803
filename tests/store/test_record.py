"""What record() writes, all or nothing: rows as they came, duplicates flagged, unsubscribes in force and proven."""

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from receiver.intake import Intake, Outcome
from receiver.store import tables
from receiver.store.engine import LOCK_TIMEOUT
from receiver.store.errors import Refused, Unavailable
from receiver.store.store import Store
from receiver.vocabulary import Charset, Delivery, Kind, Reply, new_id
from tests.intake.replies import delivery, quarantined, reply, rows, verified_ledger

WINDOW = timedelta(seconds=120)
PHONE = "+8613900007001"
CHINA = timezone(timedelta(hours=8))


def subscribe(store: Store, phone: str, *services: str) -> None:
    """Give a phone active subscriptions of these services."""
    now = datetime.now(UTC)
    with store.writing() as connection:
        known = set(connection.scalars(select(tables.services.c.code)))
        for service in services:
            if service not in known:
                connection.execute(insert(tables.services).values(code=service, name=service, created_at=now))
            connection.execute(
                insert(tables.subscriptions).values(id=new_id(), phone=phone, service=service, since=now)
            )


ODD = Delivery(
    src="移动 'x'\\",
    src_wire=' "移动"\t',
    dst="1069\\n{}",
    raw=bytes(range(256)),
    text="␀ 😀𠀀 \\u0041 \"'\r\n\t ]}\u2028\ufeff\ufffd",
    charset=Charset.GB18030,
    charset_certain=False,
    kind=Kind.REPLY,
)


def test_a_reply_reads_back_as_it_was(store: Store) -> None:
    wanted = replace(reply(), delivery=ODD)
    store.record([wanted, replace(reply(), peer=None)], [], WINDOW)
    odd, plain = rows(store, tables.messages)
    assert Delivery(**{name: odd[name] for name in Delivery.__slots__}) == ODD
    assert (odd.id, odd.received_at, odd.origin, odd.peer) == (wanted.id, wanted.received_at, "push", "203.81.21.34")
    assert (plain.peer, plain.charset_certain) == (None, True)
    for row in (odd, plain):
        assert (row.duplicate_of, row.gateway_id, row.sent_at, row.service) == (None, None, None, None)


def test_a_quarantined_delivery_reads_back_as_it_was(store: Store) -> None:
    wanted = quarantined()
    store.record([], [wanted], WINDOW)
    (row,) = rows(store, tables.quarantine)
    why = wanted.undeliverable
    assert (row.id, row.received_at, row.peer) == (wanted.id, wanted.received_at, wanted.peer)
    assert (row.reason, row.detail, row.raw, row.unsubscribes) == (why.reason, why.detail, why.raw, None)
    assert (row.replayed_at, row.message_id) == (None, None)


MOMENTS = [
    datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC),
    datetime(2026, 1, 2, 11, 4, 5, 1, tzinfo=CHINA),
    datetime(2026, 1, 2, 0, 0, 0, tzinfo=CHINA),
    datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone(-timedelta(hours=9, minutes=30))),
]


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_moment_reads_back_in_utc_to_the_microsecond(store: Store, moment: datetime) -> None:
    store.record([reply("0000", PHONE, at=moment)], [replace(quarantined(), received_at=moment)], WINDOW)
    (message,), (kept,), (optout,) = (
        rows(store, table) for table in (tables.messages, tables.quarantine, tables.optouts)
    )
    for read in (message.received_at, kept.received_at, optout.since, verified_ledger(store)[0].at):
        assert read == moment
        assert read.utcoffset() == timedelta(0)


def test_moments_are_ordered_by_the_database_whatever_zone_they_came_in(store: Store) -> None:
    store.record([reply(str(number), at=moment) for number, moment in enumerate(MOMENTS)], [], WINDOW)
    with store.reading() as connection:
        column = tables.messages.c.received_at
        assert list(connection.scalars(select(column).order_by(column))) == sorted(MOMENTS)
        assert list(connection.scalars(select(column).where(column > MOMENTS[2]).order_by(column))) == [
            moment for moment in sorted(MOMENTS) if moment > MOMENTS[2]
        ]


def test_recording_the_same_again_changes_nothing(store: Store) -> None:
    subscribe(store, PHONE, "weather")
    replies, kept = [reply(), reply("0000", PHONE)], [quarantined(), quarantined("+8613900007002")]
    store.record(replies, kept, WINDOW)
    stored = [tables.messages, tables.quarantine, tables.optouts, tables.subscriptions]
    before = [rows(store, table) for table in stored]
    store.record(replies, kept, WINDOW)
    store.record([replace(replies[0], delivery=delivery("other"))], [], WINDOW)
    assert [rows(store, table) for table in stored] == before
    verified_ledger(store)


def test_recording_the_same_unsubscribe_again_is_no_second_event(store: Store) -> None:
    # A replay after a commit whose answer was lost: the ledger must not say that the subscriber wrote twice.
    stop = reply("0000", PHONE)
    store.record([stop], [], WINDOW)
    store.record([stop], [], WINDOW)
    assert [event.type for event in verified_ledger(store)] == ["opted_out"]


def test_nothing_to_record_is_fine(store: Store) -> None:
    store.record([], [], WINDOW)


def at(seconds: float) -> datetime:
    return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) + timedelta(seconds=seconds)


def timed(seconds: float, said: Delivery) -> Reply:
    """A reply with the id that a clock at that moment makes."""
    moment = at(seconds)
    milliseconds = int(moment.timestamp() * 1000)
    made = new_id()
    return Reply(type(made)(int=made.int & (1 << 80) - 1 | milliseconds << 80), moment, reply().origin, None, said)


SAME = delivery("hello", PHONE, "1069")
DUPLICATES = [
    # what it is, seconds after the first, what it says, whether it is a duplicate
    ("at once", 0.001, SAME, True),
    ("within the window", 119, SAME, True),
    ("after the window", 121, SAME, False),
    ("other bytes", 1, replace(SAME, raw=b"hell%6F"), False),
    ("the same bytes read otherwise", 1, replace(SAME, text="HELLO"), True),
    ("another phone", 1, replace(SAME, src="+8613900007003"), False),
    ("the phone in another form", 1, replace(SAME, src_wire="13900007001"), True),
    ("another service number", 1, replace(SAME, dst="10691"), False),
]


@pytest.mark.parametrize("together", [False, True], ids=["apart", "in one batch"])
@pytest.mark.parametrize(("seconds", "said", "duplicate"), [pytest.param(*case[1:], id=case[0]) for case in DUPLICATES])
def test_a_duplicate_is_the_same_phone_service_number_and_bytes_within_the_window(
    store: Store, seconds: float, said: Delivery, duplicate: bool, together: bool
) -> None:
    first, second = timed(0, SAME), timed(seconds, said)
    for batch in [[first, second]] if together else [[first], [second]]:
        store.record(batch, [], WINDOW)
    flagged = {row.id: row.duplicate_of for row in rows(store, tables.messages)}
    assert flagged == {first.id: None, second.id: first.id if duplicate else None}


def test_duplicates_of_duplicates_name_the_first(store: Store) -> None:
    first, *others = [timed(seconds, SAME) for seconds in (0, 10, 20, 30)]
    store.record([first, others[0]], [], WINDOW)
    store.record(others[1:], [], WINDOW)
    flagged = {row.id: row.duplicate_of for row in rows(store, tables.messages)}
    assert flagged == {first.id: None} | {other.id: first.id for other in others}


def test_an_unsubscribe_cancels_every_service_of_the_subscriber_and_of_nobody_else(store: Store) -> None:
    subscribe(store, PHONE, "weather", "news")
    subscribe(store, "+8613900007002", "weather")
    stop = reply("0000", PHONE)
    store.record([reply("hello", "+8613900007002"), stop], [], WINDOW)

    cancelled = {
        (row.phone, row.service): (row.cancelled_at, row.cancelled_by) for row in rows(store, tables.subscriptions)
    }
    assert cancelled == {
        (PHONE, "weather"): (stop.received_at, stop.id),
        (PHONE, "news"): (stop.received_at, stop.id),
        ("+8613900007002", "weather"): (None, None),
    }
    (optout,) = rows(store, tables.optouts)
    assert (optout.phone, optout.since, optout.source, optout.actor) == (PHONE, stop.received_at, "sms", "subscriber")
    assert (optout.message_id, optout.reason) == (stop.id, None)
    events = verified_ledger(store)
    assert [(event.type, event.detail) for event in events] == [
        ("opted_out", {"source": "sms"}),
        ("service_cancelled", {"service": "news"}),
        ("service_cancelled", {"service": "weather"}),
    ]
    for event in events:
        assert (event.phone, event.actor, event.message_id) == (PHONE, "subscriber", stop.id)
        assert (event.at, event.raw_sha256) == (stop.received_at, sha256(b"0000").hexdigest())


def test_a_repeated_unsubscribe_is_an_event_and_changes_nothing_but_what_was_subscribed_since(store: Store) -> None:
    first, second = reply("0000", PHONE), reply("0000", PHONE)
    store.record([first], [], WINDOW)
    subscribe(store, PHONE, "weather")  # by some other way than ours
    store.record([second], [], WINDOW)
    (optout,) = rows(store, tables.optouts)
    assert (optout.since, optout.message_id) == (first.received_at, first.id)
    assert [event.type for event in verified_ledger(store)] == ["opted_out", "repeated", "service_cancelled"]
    assert rows(store, tables.subscriptions)[0].cancelled_by == second.id


def test_many_unsubscribes_of_many_phones_in_one_batch(store: Store) -> None:
    phones = [f"+861390001{number:04}" for number in range(700)]  # more than one IN list holds
    subscribe(store, phones[650], "weather")
    batch = [reply("0000", phone) for phone in [*phones, phones[650]]]
    store.record(batch, [], WINDOW)
    assert [row.phone for row in rows(store, tables.optouts)] == phones
    types = [event.type for event in verified_ledger(store)]
    assert [types.count(kind) for kind in ("opted_out", "repeated", "service_cancelled")] == [700, 1, 1]
    assert rows(store, tables.subscriptions)[0].cancelled_by == batch[650].id


def test_an_unsubscribe_in_quarantine_is_in_force_and_points_there(store: Store) -> None:
    subscribe(store, PHONE, "weather")
    kept = quarantined(unsubscribes=PHONE)
    store.record([], [kept], WINDOW)
    (optout,) = rows(store, tables.optouts)
    assert (optout.phone, optout.message_id) == (PHONE, None)
    assert [event.detail for event in verified_ledger(store)] == [
        {"source": "sms", "quarantine_id": str(kept.id)},
        {"service": "weather", "quarantine_id": str(kept.id)},
    ]
    assert rows(store, tables.subscriptions)[0].cancelled_by == kept.id


@pytest.mark.parametrize("fails", ["optouts", "ledger", "ledger_head", "subscriptions"])
def test_a_message_is_not_stored_without_what_its_unsubscribe_entails(store: Store, fails: str) -> None:
    with store.writing() as connection:
        connection.execute(text(f"ALTER TABLE {fails} RENAME TO away"))
    with pytest.raises((Refused, Unavailable)):
        store.record([reply(), reply("0000", PHONE)], [], WINDOW)
    assert rows(store, tables.messages) == []
    with store.writing() as connection:
        connection.execute(text(f"ALTER TABLE away RENAME TO {fails}"))
    store.record([reply(), reply("0000", PHONE)], [], WINDOW)
    assert len(rows(store, tables.messages)) == 2
    assert [row.phone for row in rows(store, tables.optouts)] == [PHONE]


def test_what_the_database_refuses_is_told_from_what_it_can_not_do_now(store: Store, tmp_path: Path) -> None:
    bad = replace(reply(), delivery=replace(delivery(), kind="other"))  # type: ignore[arg-type]
    with pytest.raises(Refused) as refused:
        store.record([bad], [], WINDOW)
    assert "hello" not in str(refused.value)
    assert "1390000" not in str(refused.value)
    for url in (f"sqlite:///{tmp_path / 'no such folder' / 'x.db'}", "postgresql+psycopg://nobody@127.0.0.1:1/none"):
        away = Store(url)
        with pytest.raises(Unavailable):
            away.record([reply()], [], WINDOW)
        away.close()


def test_a_database_that_was_never_migrated_is_unavailable(empty_database_url: str) -> None:
    empty = Store(empty_database_url)
    with pytest.raises(Unavailable):
        empty.record([reply()], [], WINDOW)
    with pytest.raises(Unavailable):
        empty.probe()
    empty.close()


def test_a_commit_is_durable_when_it_returns(store: Store) -> None:
    with store.writing() as connection:
        if connection.dialect.name == "postgresql":
            assert connection.scalar(text("SHOW synchronous_commit")) == "on"
        else:
            assert connection.scalar(text("PRAGMA synchronous")) == 2
            assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
            assert connection.scalar(text("PRAGMA foreign_keys")) == 1


HOLD = """
import sqlite3, sys, time
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read() if sys.argv[2] == "until told" else time.sleep(float(sys.argv[2]))
held.execute("COMMIT")
"""


def hold(path: Path, duration: str) -> "subprocess.Popen[str]":
    """Another process that holds the write lock of a SQLite file."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), duration], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[tuple[Path, Intake, Store]]:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    store = Store(sqlite_url)
    intake = Intake(store, duplicate_window=WINDOW, timeout=LOCK_TIMEOUT + 3, max_waiting=100)
    yield path, intake, store
    intake.close()
    store.close()


def test_a_reply_waits_for_another_process_that_writes_for_a_second(sqlite: tuple[Path, Intake, Store]) -> None:
    path, intake, store = sqlite
    with hold(path, "1"):
        began = time.monotonic()
        assert intake.accept(delivery()) is Outcome.STORED
        assert time.monotonic() - began > 0.8
    assert len(rows(store, tables.messages)) == 1


def test_a_lock_held_for_too_long_is_unavailable_and_then_it_recovers(sqlite: tuple[Path, Intake, Store]) -> None:
    path, intake, store = sqlite
    with hold(path, "until told") as holder:
        began = time.monotonic()
        assert intake.accept(delivery("too late")) is Outcome.UNAVAILABLE
        assert LOCK_TIMEOUT - 0.5 < time.monotonic() - began < LOCK_TIMEOUT + 2.5
        assert rows(store, tables.messages) == []  # readers are not held up
        assert holder.stdin is not None
        holder.stdin.close()
    assert intake.accept(delivery("in time")) is Outcome.STORED
    assert [row.text for row in rows(store, tables.messages)] == ["in time"]

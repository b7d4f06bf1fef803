"""Verification names the first event that somebody with every right to the database edited, removed, added or moved."""

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert, text, update

from receiver.optout.register import Register
from receiver.optout.verify import Verification, _Chain, canonical, verify
from receiver.store import ledger as statements
from receiver.store import tables
from receiver.store.ledger import Written
from receiver.store.optouts import Stop, opt_out
from receiver.store.store import Store
from receiver.vocabulary import ledger as specification
from receiver.vocabulary import new_id
from receiver.vocabulary.ledger import GENESIS, Event, EventType, chained, digest, skips_to, timestamp
from receiver.vocabulary.register import Source
from tests.intake.replies import quarantined, reply, rows, verified_ledger
from tests.postgres import Postgres, create_database, drop_database
from tests.store.test_record import WINDOW, subscribe

LEDGER, HEAD, OPTOUTS = tables.ledger, tables.ledger_head, tables.optouts
PHONES = [f"+861390000{number:04}" for number in range(1, 13)]
LENGTH = 20


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def disarmed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A valid ledger of LENGTH events of many kinds, whose database no longer refuses a change."""
    server_url = None
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('disarmed') / 'receiver.db'}"
    else:
        server_url = os.environ.get("TEST_DATABASE_URL")
        if not server_url:
            server: Postgres = request.getfixturevalue("postgres")
            server.start()
            server_url = server.url
        url = create_database(server_url)
    store = Store(url)
    store.ensure_current()
    fill(store)
    assert len(rows(store, LEDGER)) == LENGTH
    with store.writing() as connection:
        disarm(connection)
    yield store
    store.close()
    if server_url:
        drop_database(server_url, url)


@pytest.fixture
def tampered(disarmed: Store) -> Iterator[Store]:
    """The same for each test: what one does to it is undone after."""
    assert verify(disarmed).ok
    tables_then = [(table, [dict(row) for row in rows(disarmed, table)]) for table in (LEDGER, HEAD, OPTOUTS)]
    yield disarmed
    with disarmed.writing() as connection:
        for table, kept in tables_then:
            connection.execute(delete(table))
            connection.execute(insert(table), kept)


def fill(store: Store) -> None:
    register = Register(store)
    subscribe(store, PHONES[0], "news", "weather")
    store.record([reply("0000", PHONES[0])], [quarantined(unsubscribes=PHONES[1])], WINDOW)  # 1…4
    register.add(PHONES[2:6], source=Source.MANUAL, reason="写信要求", actor="li.na")  # 5…8
    register.lift(PHONES[2], reason="来电要求恢复", actor="li.na")  # 9
    register.lift(PHONES[3], reason="asked us to", actor="li.na")  # 10
    store.record([reply("0000", phone) for phone in PHONES[3:12]], [], WINDOW)  # 11…19
    store.record([reply("0000", PHONES[0])], [], WINDOW)  # 20


def disarm(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("ALTER TABLE ledger DISABLE TRIGGER ALL"))
        return
    for name in connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
        connection.execute(text(f"DROP TRIGGER {name}"))


def change(store: Store, *changes: Any) -> None:
    with store.writing() as connection:
        for each in changes:
            connection.execute(each)


def found(outcome: Verification) -> tuple[int, str]:
    """The number that verification names, and what it says first of it."""
    assert not outcome.ok
    assert outcome.finding is not None
    return outcome.finding.sequence, " ".join(outcome.finding.problem.split()[:2]).rstrip(":")


def edit(sequence: int, /, **values: Any) -> Any:
    return update(LEDGER).where(LEDGER.c.sequence == sequence).values(**values)


def remove(*sequences: int) -> Any:
    return delete(LEDGER).where(LEDGER.c.sequence.in_(sequences))


def test_what_nobody_touched_is_ok(store: Store) -> None:
    assert verify(store) == Verification(0, GENESIS, None)
    fill(store)
    last = rows(store, LEDGER)[-1]
    seen: list[tuple[int, int]] = []
    outcome = verify(store, pinned=last.hash, progress=lambda done, of: seen.append((done, of)))
    assert outcome == Verification(LENGTH, last.hash, None)
    assert seen[-1] == (LENGTH, LENGTH)
    for row in rows(store, LEDGER):
        assert verify(store, pinned=row.hash).ok
    assert verify(store, pinned=GENESIS).ok


EDITS: dict[str, Any] = {
    "at": datetime(2026, 1, 2, 3, 4, 5, 678_902, tzinfo=UTC),
    "type": "lifted",
    "unknown type": ("type", "forgotten"),
    "empty type": ("type", ""),
    "actor": "wang.wei",
    "phone": "+8613900009999",
    "no phone": ("phone", None),
    "message_id": UUID(int=7),
    "no message_id": ("message_id", None),
    "raw_sha256": "0" * 64,
    "no raw_sha256": ("raw_sha256", None),
    "detail": {"source": "sms", "more": 1},
    "no detail": ("detail", {}),
    "null detail": ("detail", None),
    "hash": "0" * 64,
    "hash that is none": ("hash", "é"),
}


@pytest.mark.parametrize("sequence", [1, 11, LENGTH])
def test_an_edit_of_any_column_is_found(tampered: Store, sequence: int) -> None:
    original = dict(rows(tampered, LEDGER)[sequence - 1])
    for name, edited in EDITS.items():
        column, value = edited if isinstance(edited, tuple) else (name, edited)
        if original[column] == value:
            continue
        change(tampered, edit(sequence, **{column: value}))
        assert found(verify(tampered)) == (sequence, "was edited"), name
        change(tampered, edit(sequence, **original))
        assert verify(tampered).ok


def test_a_moment_that_is_a_microsecond_off_is_found(tampered: Store) -> None:
    at = rows(tampered, LEDGER)[10].at
    change(tampered, edit(11, at=at + timedelta(microseconds=1)))
    assert found(verify(tampered)) == (11, "was edited")


@pytest.mark.parametrize("sequence", [1, 11, LENGTH])
def test_an_edit_of_the_hash_before_is_found(tampered: Store, sequence: int) -> None:
    change(tampered, edit(sequence, previous="f" * 64))
    assert found(verify(tampered)) == (sequence, "was inserted")


SPOILT = [
    "detail = '{'",
    f"detail = '{'[' * 100_000}'",
    "detail = X'7B7D'",
    "at = 'yesterday'",
    "at = 7",
    "at = X'00'",
    "message_id = 'none'",
    "message_id = upper(message_id)",
    "phone = X'00'",
    "actor = actor || char(0)",
    "hash = X'00'",
]


@pytest.mark.parametrize("spoilt", SPOILT, ids=lambda spoilt: spoilt[:30])
def test_values_that_no_column_should_hold_are_found(sqlite_url: str, spoilt: str) -> None:
    # SQLite takes anything in any column.
    store = Store(sqlite_url)
    fill(store)
    with store.writing() as connection:
        disarm(connection)
        connection.exec_driver_sql(f"UPDATE ledger SET {spoilt} WHERE sequence = 11")
    assert found(verify(store)) == (11, "was edited")
    store.close()


@pytest.mark.parametrize("sequence", [1, 11, LENGTH])
def test_a_removed_event_is_found(tampered: Store, sequence: int) -> None:
    change(tampered, remove(sequence))
    assert found(verify(tampered)) == (sequence, "was removed")


def test_a_removal_is_found_though_what_follows_was_moved_up(tampered: Store) -> None:
    change(tampered, remove(11), *(edit(sequence, sequence=sequence - 1) for sequence in range(12, LENGTH + 1)))
    assert found(verify(tampered)) == (11, "was inserted")


def test_nothing_left_is_found(tampered: Store) -> None:
    change(tampered, delete(LEDGER))
    assert found(verify(tampered)) == (1, "was removed")


@pytest.mark.parametrize("place", [0, 1, 10, LENGTH, LENGTH + 1])
def test_a_forged_event_is_found(tampered: Store, place: int) -> None:
    """Put in after event ``place``, with hashes that are right for where it stands, the others moved down."""
    forged = Event(EventType.LIFTED, datetime.now(UTC), "li.na", PHONES[0], detail={"reason": "forged"})
    before = rows(tampered, LEDGER)
    hashes = {0: GENESIS} | {row.sequence: row.hash for row in before}
    sequence = place + 1
    previous, skipped = hashes.get(place, GENESIS), hashes.get(skips_to(sequence), GENESIS)
    row = stored(sequence, forged, previous, chained(previous, skipped, digest(sequence, forged)))
    moved = [edit(number, sequence=number + 1) for number in range(LENGTH, place, -1)]
    change(tampered, *moved, insert(LEDGER).values(row))
    if place < LENGTH:
        assert found(verify(tampered)) == (place + 2, "was inserted")
    elif place == LENGTH:
        assert found(verify(tampered)) == (LENGTH + 1, "is not")
    else:
        assert found(verify(tampered)) == (LENGTH + 1, "was removed")


def test_an_event_with_the_number_of_none_is_found(tampered: Store) -> None:
    event = Event(EventType.LIFTED, datetime.now(UTC), "li.na", PHONES[0])
    change(tampered, insert(LEDGER).values(stored(0, event, GENESIS, "0" * 64)))
    assert not verify(tampered).ok


@pytest.mark.parametrize(("one", "other"), [(1, 2), (7, 15), (LENGTH - 1, LENGTH)])
@pytest.mark.parametrize("with_their_hashes", [False, True])
def test_two_events_in_each_others_place_are_found(
    tampered: Store, one: int, other: int, with_their_hashes: bool
) -> None:
    kept = {row.sequence: dict(row) for row in rows(tampered, LEDGER)}
    values = ["at", "type", "actor", "phone", "message_id", "raw_sha256", "detail"]
    values += ["previous", "hash"] if with_their_hashes else []
    change(
        tampered,
        remove(one, other),
        insert(LEDGER).values({**kept[one], **{name: kept[other][name] for name in values}}),
        insert(LEDGER).values({**kept[other], **{name: kept[one][name] for name in values}}),
    )
    assert found(verify(tampered)) == (one, "was inserted" if with_their_hashes else "was edited")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ({"hash": "0" * 64}, (LENGTH, "is not")),
        ({"sequence": LENGTH - 1}, (LENGTH, "is not")),
        ({"sequence": LENGTH + 1}, (LENGTH + 1, "was removed")),
        ({"sequence": 0, "hash": GENESIS}, (LENGTH, "is not")),
    ],
)
def test_a_changed_head_is_found(tampered: Store, head: dict[str, Any], expected: tuple[int, str]) -> None:
    change(tampered, update(HEAD).values(head))
    assert found(verify(tampered)) == expected


def test_a_removed_head_is_found(tampered: Store) -> None:
    change(tampered, delete(HEAD))
    assert found(verify(tampered)) == (LENGTH, "is not")


def test_of_many_changes_the_first_is_named(tampered: Store) -> None:
    change(tampered, remove(17), edit(14, actor="x"), edit(9, actor="y"), update(HEAD).values(sequence=3))
    assert found(verify(tampered))[0] == 9


@pytest.mark.parametrize("left", [0, 1, 10, LENGTH - 1])
def test_a_tail_cut_off_with_the_head_wound_back_is_found_by_a_pinned_head_alone(tampered: Store, left: int) -> None:
    before = rows(tampered, LEDGER)
    hashes = [GENESIS, *(row.hash for row in before)]
    with tampered.writing() as connection:
        connection.execute(remove(*range(left + 1, LENGTH + 1)))
        connection.execute(update(HEAD).values(sequence=left, hash=hashes[left]))
    rebuild_register(tampered)
    assert verify(tampered).ok, "not even a chain can tell"
    assert verify(tampered, pinned=hashes[left]).ok
    for kept in hashes[left + 1 :]:
        assert found(verify(tampered, pinned=kept)) == (left, "is the")


@pytest.mark.parametrize("first", [1, 11, LENGTH])
def test_a_tail_rewritten_with_hashes_worked_out_anew_is_found_by_a_pinned_head_alone(
    tampered: Store, first: int
) -> None:
    before = rows(tampered, LEDGER)
    hashes, again = [GENESIS], []
    for row in before:
        event = Event(row.type, row.at, row.actor, row.phone, row.message_id, row.raw_sha256, row.detail)
        if row.sequence == first:
            event = replace(event, actor="somebody else")
        previous, skipped = hashes[-1], hashes[skips_to(row.sequence)]
        hashes.append(chained(previous, skipped, digest(row.sequence, event)))
        again.append(stored(row.sequence, event, previous, hashes[-1]))
    change(tampered, delete(LEDGER), insert(LEDGER).values(again), update(HEAD).values(hash=hashes[-1]))
    rebuild_register(tampered)
    assert verify(tampered).ok, "not even a chain can tell"
    assert verify(tampered, pinned=before[-1].hash).finding is not None
    assert verify(tampered, pinned=before[first - 1].hash).finding is not None
    if first > 1:
        assert verify(tampered, pinned=before[first - 2].hash).ok, "pinned before the forgery"


def test_an_opt_out_taken_out_of_the_register_is_found(tampered: Store) -> None:
    change(tampered, delete(OPTOUTS).where(OPTOUTS.c.phone == PHONES[1]))
    outcome = verify(tampered)
    assert not outcome.ok
    assert outcome.finding is None
    assert outcome.disagreements == ("+86139****0002 is opted out by the ledger, and not in the register",)


def test_an_opt_out_that_nobody_made_is_found(tampered: Store) -> None:
    row = {"since": datetime.now(UTC), "source": "manual", "actor": "li.na"}
    change(tampered, insert(OPTOUTS).values(phone="+8613900009999", **row))
    outcome = verify(tampered)
    assert outcome.disagreements == ("+86139****9999 is not opted out by the ledger, but is in the register",)
    assert not outcome.ok


def test_a_phone_changed_in_the_register_is_found_on_both_sides(tampered: Store) -> None:
    changed = update(OPTOUTS).where(OPTOUTS.c.phone == PHONES[1]).values(phone=PHONES[2])  # PHONES[2] was lifted
    change(tampered, changed)
    assert [each[:14] for each in verify(tampered).disagreements] == ["+86139****0002", "+86139****0003"]


FORGED: dict[str, Any] = {
    "since": datetime(2026, 1, 2, 3, 4, 5, 678_902, tzinfo=UTC),
    "actor": "wang.wei",
    "source": "api",
    "reason": "asked nicely",
    "message_id": UUID(int=7),
}


# By SMS, through a quarantined delivery, and by hand: what each event says of its source has another form.
@pytest.mark.parametrize("phone", [PHONES[0], PHONES[1], PHONES[4]])
@pytest.mark.parametrize("name", FORGED)
def test_an_opt_out_that_says_otherwise_than_its_event_is_found(tampered: Store, name: str, phone: str) -> None:
    change(tampered, update(OPTOUTS).where(OPTOUTS.c.phone == phone).values({name: FORGED[name]}))
    outcome = verify(tampered)
    assert outcome.finding is None
    problem = f"is opted out with another {name} in the register than in the ledger"
    assert outcome.disagreements == (f"{phone[:6]}****{phone[-4:]} {problem}",)


@pytest.mark.parametrize(("phone", "name"), [(PHONES[0], "message_id"), (PHONES[4], "reason")])
def test_an_opt_out_that_lost_what_its_event_says_is_found(tampered: Store, phone: str, name: str) -> None:
    change(tampered, update(OPTOUTS).where(OPTOUTS.c.phone == phone).values({name: None}))
    (problem,) = verify(tampered).disagreements
    assert f"another {name} in" in problem


def test_everything_that_an_opt_out_says_otherwise_is_named(tampered: Store) -> None:
    change(tampered, update(OPTOUTS).where(OPTOUTS.c.phone == PHONES[4]).values(FORGED))
    (problem,) = verify(tampered).disagreements
    assert "another since, actor, message_id, source, reason in" in problem


ODD_DETAILS = [{"file": "\udcff.csv"}, {"file": "a\x00b"}, {"file": "😀"}, {"file": "\\ud800"}]


@pytest.mark.parametrize("detail", ODD_DETAILS, ids=ascii)
def test_an_import_from_a_file_of_any_name_agrees(tampered: Store, detail: dict[str, str]) -> None:
    # PostgreSQL keeps half a character in JSON, and can't say what it is.
    reason = "客户要求 😀"
    with tampered.writing() as connection:
        stop = Stop("+8613900009999", datetime.now(UTC), Source.IMPORT, "li.na", reason, detail=detail)
        opt_out(connection, [stop])
    assert verify(tampered).ok
    change(tampered, update(OPTOUTS).where(OPTOUTS.c.reason == reason).values(reason="客户"))
    (problem,) = verify(tampered).disagreements
    assert "another reason in" in problem


def test_who_is_opted_out_and_has_a_service_is_found(store: Store) -> None:
    fill(store)
    assert verify(store).ok, "weather and news ended by the stop"
    subscribe(store, PHONES[0], "news", "weather")
    subscribe(store, "+8613900009999", "news")  # who may
    outcome = verify(store)
    assert outcome.finding is None
    assert outcome.disagreements == ("+86139****0001 is opted out, and has an active subscription",)


@pytest.mark.parametrize(
    "detail",
    [
        '{"source": "manual", "source": "sms"}',
        '{"source": "sms", "source": "sms"}',
        '{"source": "sms", "in": {"a": [{"b": 1, "b": 2}]}}',
    ],
)
def test_a_detail_that_says_something_twice_was_edited(tampered: Store, detail: str) -> None:
    # Its last word is what the hash covers, where the last is what is read.
    with tampered.writing() as connection:
        connection.execute(text("UPDATE ledger SET detail = :detail WHERE sequence = 11"), {"detail": detail})
    outcome = verify(tampered)
    assert found(outcome) == (11, "was edited")
    assert outcome.finding is not None
    assert "it holds what no event can" in outcome.finding.problem


def test_many_disagreements_are_named_in_part(tampered: Store) -> None:
    change(tampered, delete(OPTOUTS))
    assert len(verify(tampered).disagreements) == 10
    assert "1390000" not in str(verify(tampered))


def test_verification_is_ok_while_others_append(store: Store, database_url: str) -> None:
    done = threading.Event()

    def write(first: int) -> None:
        own = Store(database_url)
        for number in range(first, first + 60):
            own.record([reply("0000", f"+86154{number % 20:08}") for _ in range(20)], [], WINDOW)
        own.close()

    def stop_when_written() -> None:
        writers = [threading.Thread(target=write, args=(first,)) for first in (0, 1_000)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        done.set()

    threading.Thread(target=stop_when_written).start()
    seen = []
    while not done.is_set():
        outcome = verify(store)
        assert outcome.ok, outcome
        seen.append(outcome.events)
    assert seen == sorted(seen)
    assert len(set(seen)) > 3, "nobody wrote meanwhile"
    assert verify(store).events == 2_400
    assert len(verified_ledger(store)) == 2_400


def test_the_hashes_that_are_kept_are_those_of_every_skip_to_come_and_few() -> None:
    chain, largest = _Chain(), 0
    hashes = {0: GENESIS}
    for sequence in range(1, 5_001):
        assert (chain.sequence, chain.hash) == (sequence - 1, hashes[sequence - 1])
        assert chain.skipped(sequence) == hashes[skips_to(sequence)]
        hashes[sequence] = f"{sequence:064}"
        chain.add(sequence, hashes[sequence])
        assert len(chain) <= sequence.bit_length() + 1
        largest = max(largest, len(chain))
    assert largest == 13  # 4095 has twelve binary ones


EVENTS = st.builds(
    Event,
    type=st.sampled_from(EventType),
    at=st.datetimes(timezones=st.just(UTC)).filter(lambda at: at.year >= 1000),
    actor=st.text(max_size=10),
    phone=st.none() | st.text(max_size=10),
    message_id=st.none() | st.uuids(),
    raw_sha256=st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
    detail=st.dictionaries(
        st.text(max_size=5), st.text(max_size=5) | st.integers() | st.booleans() | st.none(), max_size=4
    ),
)


@given(st.integers(min_value=1), EVENTS)
def test_the_cheap_canonical_form_has_the_same_bytes(sequence: int, event: Event) -> None:
    written = Written(
        sequence,
        timestamp(event.at),
        str(event.type),
        event.actor,
        event.phone,
        None if event.message_id is None else str(event.message_id),
        event.raw_sha256,
        json.dumps(event.detail, ensure_ascii=False, indent=1),
        GENESIS,
        GENESIS,
    )
    assert canonical(written) == specification.canonical(sequence, event)


def test_what_is_read_from_each_database_has_the_canonical_bytes(store: Store) -> None:
    fill(store)
    moments = [datetime(2026, 1, 2, 3, 4, 5, micro, tzinfo=UTC) for micro in (0, 1, 100_000, 999_999)]
    odd = [
        Event(
            EventType.LIFTED, at, '移动 "x" 😀\\\n\u2028', None, new_id(), None, {"é": [1, 2.5, None, {"b": 1, "a": 2}]}
        )
        for at in moments
    ]
    with store.writing() as connection:
        statements.Chain(connection).append(odd)
    with store.reading() as connection:
        read = list(statements.stream(connection))
    assert len(read) == LENGTH + len(odd)
    for row, written in zip(rows(store, LEDGER), read, strict=True):
        event = Event(row.type, row.at, row.actor, row.phone, row.message_id, row.raw_sha256, row.detail)
        assert canonical(written) == specification.canonical(row.sequence, event)
    assert [written.at[-8:] for written in read[-4:]] == [".000000Z", ".000001Z", ".100000Z", ".999999Z"]
    assert verify(store).ok


def stored(sequence: int, event: Event, previous: str, hash_: str) -> dict[str, Any]:
    return {
        "sequence": sequence,
        "at": event.at,
        "type": str(event.type),
        "actor": event.actor,
        "phone": event.phone,
        "message_id": event.message_id,
        "raw_sha256": event.raw_sha256,
        "detail": event.detail,
        "previous": previous,
        "hash": hash_,
    }


def rebuild_register(store: Store) -> None:
    """Make the register what the ledger says now, as who covers traces would."""
    last: dict[str, Any] = {}
    for row in rows(store, LEDGER):
        if row.type in ("opted_out", "lifted"):
            last[row.phone] = row
    in_force = [
        {
            "phone": phone,
            "since": row.at,
            "source": row.detail["source"],
            "reason": row.detail.get("reason"),
            "actor": row.actor,
            "message_id": row.message_id,
        }
        for phone, row in last.items()
        if row.type == "opted_out"
    ]
    change(store, delete(OPTOUTS), *([insert(OPTOUTS).values(in_force)] if in_force else []))

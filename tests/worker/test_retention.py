"""What is older than the retention goes, a few rows at a time; what proves a stop, and what is open, stays."""

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text, update

from receiver.gateway.sending import Sending, SendRequest
from receiver.intake.redecode import Redecoding
from receiver.intake.refusals import Refusals
from receiver.optout.proof import prove
from receiver.optout.proof_check import check
from receiver.optout.register import Register
from receiver.optout.verify import verify
from receiver.store import messages, retention, search
from receiver.store import tasks as statements
from receiver.store.sends import State
from receiver.store.store import Store
from receiver.store.tables import (
    ledger,
    message_readings,
    optouts,
    pulled_replies,
    quarantine,
    refusals,
    send_batches,
    send_recipients,
    sends,
)
from receiver.store.tables import messages as stored
from receiver.vocabulary import Charset, Origin, Reading, Reason, Reply, Undeliverable
from receiver.worker.lease import Leases
from receiver.worker.retention import Retention, task
from tests.filled import WINDOW, Filled, id_at
from tests.intake.replies import rows

NOW = datetime.now(UTC)
KEEP = timedelta(days=30)
OLD = NOW - timedelta(days=31)
PHONE = "13912345678"


@pytest.fixture
def filled(database_url: str) -> Iterator[Filled]:
    made = Filled(database_url)
    yield made
    made.store.close()


def purge(filled: Filled, kept: Retention | None = None) -> dict[str, int]:
    """One run of the retention, whole: how many rows it says were deleted of what."""
    done: dict[str, int] = {}
    for what, count in (kept or Retention(filled.store, KEEP)).purge():
        done[what] = done.get(what, 0) + count
    return done


def ids(store: Store, table: Any = stored) -> list[UUID]:
    return [row["id"] for row in rows(store, table)]


def reply(filled: Filled, said: str = "hello", *, at: datetime = OLD, phone: str = PHONE) -> UUID:
    return filled.reply(f"src={phone}&dst=1069&msg={said}".encode(), at=at)


def test_replies_that_are_too_old_go_and_the_others_stay(filled: Filled) -> None:
    old = [reply(filled, at=OLD - timedelta(days=days)) for days in range(3)]
    young = [reply(filled, at=NOW - KEEP + timedelta(hours=5)), reply(filled, at=NOW)]
    assert purge(filled)["messages"] == len(old)
    assert ids(filled.store) == young
    assert purge(filled).get("messages", 0) == 0


def test_what_is_gone_is_gone_from_everywhere(filled: Filled) -> None:
    said = Reading(Charset.UTF_8).delivery(PHONE, "1069", "医院".encode("gbk"))
    gone = Reply(id_at(OLD), OLD, Origin.POLL, None, said, gateway_id="17", sent_at=OLD, account="demo")
    filled.store.record([gone], [], WINDOW)
    Redecoding(filled.store, Reading()).one(gone.id, Charset.GB18030, actor="li")
    young = reply(filled, "医院", at=NOW)
    with filled.store.writing() as connection:
        assert search.index(connection, limit=10) == 2
    assert indexed(filled.store) == 2
    assert purge(filled)["messages"] == 1
    assert ids(filled.store) == [young]
    assert rows(filled.store, message_readings) == rows(filled.store, pulled_replies) == []
    assert indexed(filled.store) == 1, "the young one alone"
    with filled.store.reading() as connection:
        assert [row["id"] for row in messages.page(connection, messages.Filter(text="医"), limit=9)] == [young]


def indexed(store: Store) -> int:
    """How many messages the index has anything of."""
    with store.writing() as connection:
        if connection.dialect.name == "postgresql":
            return connection.scalar(text("SELECT count(*) FROM message_search")) or 0
        connection.execute(text("CREATE VIRTUAL TABLE temp.seen USING fts5vocab(main, message_search, instance)"))
        count = connection.scalar(text("SELECT count(DISTINCT doc) FROM temp.seen")) or 0
        connection.execute(text("DROP TABLE temp.seen"))
        return count


def test_the_evidence_of_stops_stays_and_their_neighbours_go(filled: Filled) -> None:
    gone = reply(filled, "why")
    stop = reply(filled, "0000")
    again = reply(filled, "0000", at=OLD + timedelta(hours=2))
    neighbour = reply(filled, "thanks", at=OLD + timedelta(hours=1))
    lifted = reply(filled, "0000", phone="13800000001")
    Register(filled.store).lift("13800000001", reason="asked", actor="li")
    before = prove(filled.store, PHONE)
    assert purge(filled)["messages"] == 2
    assert ids(filled.store) == sorted([stop, again, lifted])
    assert {gone, neighbour}.isdisjoint(ids(filled.store))
    after = prove(filled.store, PHONE)
    assert check(after).problems == ()
    assert after["causes"] == before["causes"], "the bytes are the evidence"
    assert not any(cause["purged"] for cause in after["causes"].values())
    assert check(prove(filled.store, "13800000001")).holds
    assert verify(filled.store).ok


def test_a_stop_that_says_something_else_in_another_charset_is_evidence_all_the_same(filled: Filled) -> None:
    late = filled.store
    said = Reading(Charset.UTF_8).delivery(PHONE, "1069", b"%20" * 100 + "００００".encode("gbk"))
    late.record([Reply(made := id_at(OLD), OLD, Origin.PUSH, None, said)], [], WINDOW)
    for charset in (Charset.GB18030, Charset.UTF_8):
        Redecoding(late, Reading()).one(made, charset, actor="li")
    assert rows(late, stored)[0]["kind"] == "reply"
    assert purge(filled).get("messages", 0) == 0
    assert len(rows(late, message_readings)) == 2
    assert check(prove(late, PHONE)).problems == ()


def test_what_became_evidence_since_it_was_looked_at_stays(filled: Filled) -> None:
    stop, other = reply(filled, "0000"), reply(filled)
    with filled.store.writing() as connection:
        assert retention.purge_messages(connection, [stop, other]) == 1
    assert ids(filled.store) == [stop]


def test_old_deliveries_in_quarantine_go_unless_they_said_stop(filled: Filled) -> None:
    filled.kept(b"src=13912345678", at=OLD)
    filled.kept(b"src=13912345678&dst=1069&msg=hi", reason=Reason.SOURCE, at=OLD)
    stop = filled.kept(f"src={PHONE}&msg=0000".encode(), at=OLD)
    young = filled.kept(b"dst=1069", at=NOW)
    assert purge(filled)["quarantined"] == 2
    assert ids(filled.store, quarantine) == [stop, young]
    document = prove(filled.store, PHONE)
    assert check(document).problems == ()
    assert [cause["purged"] for cause in document["causes"].values()] == [False]


def test_sources_that_were_refused_long_ago_are_forgotten(filled: Filled) -> None:
    noted = Refusals(filled.store)
    for peer in ("198.51.100.7", "198.51.100.8"):
        noted.note(peer, Undeliverable(Reason.SOURCE, "not allowed", b"src=1"))
    noted.close()
    with filled.store.writing() as connection:
        connection.execute(update(refusals).where(refusals.c.peer == "198.51.100.7").values(last_at=OLD))
    assert purge(filled)["refused sources"] == 1
    assert [row["peer"] for row in rows(filled.store, refusals)] == ["198.51.100.8"]


def sent(
    filled: Filled, count: int = 1, *, state: State = State.ACCEPTED, created: datetime = OLD, **more: Any
) -> UUID:
    """A send to ``count`` people, all of whom are in this state."""
    request = SendRequest([f"138{number:08}" for number in range(count)], "明天停水", **more)
    made = Sending(filled.store, clock=lambda: created).enqueue(request, "li", send_id=id_at(created)).send_id
    batch = state if state in (State.QUEUED, State.IN_DOUBT, State.CANCELLED) else "answered"
    with filled.store.writing() as connection:
        connection.execute(update(send_batches).where(send_batches.c.send_id == made).values(state=batch))
        connection.execute(update(send_recipients).where(send_recipients.c.send_id == made).values(state=state))
    return made


def test_sends_that_are_over_go_with_their_recipients(filled: Filled) -> None:
    sent(filled, 230)
    sent(filled, 50)
    sent(filled, state=State.CANCELLED)
    sent(filled, state=State.REFUSED)
    young = sent(filled, created=NOW - timedelta(days=2))
    assert purge(filled)["sends"] == 4
    for table, column in ((sends, "id"), (send_batches, "send_id"), (send_recipients, "send_id")):
        assert {row[column] for row in rows(filled.store, table)} == {young}


@pytest.mark.parametrize("state", [State.QUEUED, State.IN_DOUBT])
def test_a_send_of_which_something_is_open_stays_whole(filled: Filled, state: State) -> None:
    made = sent(filled, 3, state=state)
    with filled.store.writing() as connection:
        some = send_recipients.c.phone != "+8613800000001"
        connection.execute(update(send_recipients).where(some).values(state=State.ACCEPTED))
    assert purge(filled).get("sends", 0) == 0
    assert [row["id"] for row in rows(filled.store, sends)] == [made]
    assert len(rows(filled.store, send_recipients)) == 3


def test_a_recipient_in_doubt_keeps_a_send_whatever_its_batch_says(filled: Filled) -> None:
    made = sent(filled, state=State.IN_DOUBT)
    with filled.store.writing() as connection:
        connection.execute(update(send_batches).values(state="answered"))
    assert purge(filled).get("sends", 0) == 0
    assert [row["id"] for row in rows(filled.store, sends)] == [made]


def test_a_send_is_as_old_as_the_time_that_it_is_for(filled: Filled) -> None:
    later = sent(filled, at=NOW + timedelta(days=2), created=OLD)
    assert purge(filled).get("sends", 0) == 0
    assert [row["id"] for row in rows(filled.store, sends)] == [later]


def test_the_register_and_the_ledger_stay_as_they_are(filled: Filled) -> None:
    reply(filled, "0000")
    before = [rows(filled.store, table) for table in (optouts, ledger)]
    assert purge(filled).get("messages", 0) == 0
    assert [rows(filled.store, table) for table in (optouts, ledger)] == before


def test_each_transaction_is_small_and_a_run_that_ends_early_is_gone_on_with(filled: Filled) -> None:
    said = Reading().delivery(PHONE, "1069", b"hello")
    many = [Reply(id_at(OLD), OLD, Origin.PUSH, None, said) for _ in range(620)]
    filled.store.record(many, [], WINDOW)
    first = Retention(filled.store, KEEP)
    with closing(first.purge()) as steps:
        counts = [count for _, count in islice(steps, 3)]
    assert max(counts) <= 50
    assert len(rows(filled.store, stored)) == 620 - sum(counts)
    counts = [count for what, count in Retention(filled.store, KEEP).purge() if what == "messages"]
    assert max(counts) <= 50
    assert rows(filled.store, stored) == []


def test_what_had_to_stay_is_looked_at_again_after_a_day(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[UUID] = []
    real = retention.old_messages

    def old_messages(connection: Any, before: datetime, *, behind: UUID, limit: int) -> Any:
        found = real(connection, before, behind=behind, limit=limit)
        looked.extend(each for each, _ in found)
        return found

    monkeypatch.setattr(retention, "old_messages", old_messages)
    time = [NOW]
    kept = Retention(filled.store, KEEP, clock=lambda: time[0])
    stop = reply(filled, "0000")
    purge(filled, kept)
    late = reply(filled, at=OLD - timedelta(days=5))  # replayed from quarantine, say: it stands before the other
    time[0] += timedelta(hours=23)
    purge(filled, kept)
    assert looked == [stop]
    time[0] += timedelta(hours=1)
    purge(filled, kept)
    assert looked == [stop, late, stop]
    assert ids(filled.store) == [stop]


def test_replies_and_stops_come_in_while_much_is_purged(filled: Filled) -> None:
    said = Reading().delivery(PHONE, "1069", b"hello")
    filled.store.record([Reply(id_at(OLD), OLD, Origin.PUSH, None, said) for _ in range(2_000)], [], WINDOW)
    over = threading.Event()
    came: list[UUID] = []

    def receive() -> None:
        number = 0
        while not over.is_set() or number < 20:
            number += 1
            came.append(
                reply(filled, "0000" if number % 5 == 0 else "hi", at=datetime.now(UTC), phone=f"137{number:08}")
            )

    thread = threading.Thread(target=receive)
    thread.start()
    try:
        two = [threading.Thread(target=purge, args=[filled]) for _ in range(2)]
        for each in two:
            each.start()
        for each in two:
            each.join()
    finally:
        over.set()
        thread.join()
    assert ids(filled.store) == came
    assert verify(filled.store).ok


def test_nothing_of_what_was_purged_is_left_in_the_file(tmp_path: Path) -> None:
    filled = Filled(f"sqlite:///{tmp_path / 'receiver.db'}")
    reply(filled, "a-riddle-" * 30)
    reply(filled, "another-riddle-" * 500)
    filled.kept(b"src=13912345678&msg=a-third-riddle", at=OLD)
    purge(filled)
    with filled.store.reading() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).all()
    filled.store.close()
    for file in tmp_path.glob("receiver.db*"):
        assert b"riddle" not in file.read_bytes(), file


def test_progress_is_seen_while_it_runs_and_the_outcome_after(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("receiver.worker.retention._LEASE", 0.0)
    said = Reading().delivery(PHONE, "1069", b"hello")
    filled.store.record([Reply(id_at(OLD), OLD, Origin.PUSH, None, said) for _ in range(120)], [], WINDOW)
    seen: list[str | None] = []
    leases = Leases(filled.store)
    purging = task(filled.store, 30)
    lease = leases.claim(purging.name, leases.look(purging.name), 600)
    assert lease is not None
    monkeypatch.setattr(lease, "renew", lambda _seconds, **more: type(lease).renew(lease, 600, **more))

    def wait(_seconds: float) -> bool:
        with filled.store.reading() as connection:
            standing = statements.standing(connection, purging.name)
        assert standing is not None
        seen.append(standing.detail)
        return False

    ran = purging.run(lease, wait)
    assert seen == ["purged 50 messages so far", "purged 100 messages so far", "purged 120 messages so far"]
    assert (ran.again_after, ran.detail) == (300.0, "purged 120 messages")
    assert purging.run(lease, wait).detail == "nothing is older than 30 days but what proves stops"


def test_it_ends_when_the_worker_does(filled: Filled) -> None:
    said = Reading().delivery(PHONE, "1069", b"hello")
    filled.store.record([Reply(id_at(OLD), OLD, Origin.PUSH, None, said) for _ in range(120)], [], WINDOW)
    leases = Leases(filled.store)
    purging = task(filled.store, 30)
    lease = leases.claim(purging.name, leases.look(purging.name), 600)
    assert lease is not None
    assert purging.run(lease, lambda _seconds: True).detail == "purged 50 messages"
    assert len(rows(filled.store, stored)) == 70

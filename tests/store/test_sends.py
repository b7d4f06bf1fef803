"""Sends in the database: stored whole or not, counted by state, and each change only from where it may come."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, update

from receiver.store import send_batches, send_endings, sends, tables
from receiver.store.errors import Refused
from receiver.store.send_batches import Claimed
from receiver.store.sends import State
from receiver.store.store import Store
from receiver.vocabulary import new_id
from tests.intake.replies import rows

NOW = datetime.now(UTC)
LEASE = NOW + timedelta(minutes=1)
LATER = NOW + timedelta(hours=1)


def add(store: Store, people: int = 4, *, batches: int = 2, not_before: datetime = NOW, at: datetime = NOW) -> UUID:
    """A send to ``people``, in turn in one of ``batches``."""
    send = {
        "id": new_id(), "created_at": at, "actor": "li.na", "text": "hello", "sender": None, "at": None,
        "is_held": False, "is_long": False,
    }  # fmt: skip
    recipients = [
        {"phone": f"+8615400{number:06}", "written": f"15400{number:06}", "batch": number % batches + 1,
         "state": State.QUEUED, "detail": None}
        for number in range(people)
    ]  # fmt: skip
    with store.writing() as connection:
        sends.add(connection, send, recipients, batches=batches, not_before=not_before)
    send_id: UUID = send["id"]  # type: ignore[assignment]
    return send_id


def claim(store: Store, *, now: datetime = NOW, send_id: UUID | None = None) -> Claimed | None:
    with store.writing() as connection:
        return send_batches.claim(connection, claim=uuid4(), now=now, lease_until=LEASE, send_id=send_id)


def claimed(store: Store) -> Claimed:
    batch = claim(store)
    assert batch is not None
    return batch


def answer(store: Store, batch: Claimed, state: State = State.ACCEPTED) -> bool:
    fates = [([phone for phone, _ in batch.phones], {"state": state, "code": None, "detail": None})]
    with store.writing() as connection:
        return send_batches.answered(connection, batch, fates, now=NOW)


def states(store: Store, send_id: UUID) -> dict[str, int]:
    with store.reading() as connection:
        return sends.counts(connection, [send_id])[send_id]


def states_of_batches(store: Store) -> list[str]:
    return [batch.state for batch in rows(store, tables.send_batches)]


def test_a_send_is_stored_whole_or_not_at_all(store: Store) -> None:
    twice: list[dict[str, Any]] = [
        {"phone": "+8615400000001", "written": "x", "batch": 1, "state": State.QUEUED, "detail": None}
    ] * 2
    send = {"id": new_id(), "created_at": NOW, "actor": "li.na", "text": "x", "is_held": False, "is_long": False}
    with pytest.raises(Refused), store.writing() as connection:
        sends.add(connection, send, twice, batches=1, not_before=NOW)
    assert [rows(store, table) for table in (tables.sends, tables.send_batches, tables.send_recipients)] == [[], [], []]


def test_a_batch_is_claimed_once_with_its_own_recipients(store: Store) -> None:
    send_id = add(store)
    first, second = claimed(store), claimed(store)
    assert claim(store) is None
    assert {first.number, second.number} == {1, 2}
    assert first.phones == (("+8615400000000", "15400000000"), ("+8615400000002", "15400000002"))
    assert (first.send_id, first.text, first.actor) == (send_id, "hello", "li.na")
    assert states(store, send_id) == {"sending": 4}


def test_a_batch_that_another_is_claiming_is_passed_over(postgresql_url: str) -> None:
    # On SQLite there is one writer at a time: the second waits.
    one_process, other = Store(postgresql_url), Store(postgresql_url)
    add(one_process)
    with one_process.writing() as connection, other.writing() as beside:
        first = send_batches.claim(connection, claim=uuid4(), now=NOW, lease_until=LEASE)
        second = send_batches.claim(beside, claim=uuid4(), now=NOW, lease_until=LEASE)
    assert first is not None
    assert second is not None
    assert {first.number, second.number} == {1, 2}
    one_process.close()
    other.close()


def test_what_is_not_due_waits_for_all_but_a_retry_that_is_asked_for(store: Store) -> None:
    send_id = add(store, batches=1, not_before=LATER)
    assert claim(store) is None
    assert claim(store, send_id=send_id) is None
    batch = claim(store, now=LATER)
    assert batch is not None
    with store.writing() as connection:
        send_batches.give_back(
            connection, batch, now=NOW, not_before=LATER + timedelta(hours=1), attempts=1, detail="no connection"
        )
    assert claim(store, now=LATER) is None
    assert claim(store, now=LATER, send_id=send_id) is not None


def test_only_who_holds_the_claim_answers(store: Store) -> None:
    send_id = add(store, batches=1)
    batch = claimed(store)
    stranger = Claimed(**{name: getattr(batch, name) for name in batch.__slots__} | {"claim": uuid4()})
    assert not answer(store, stranger)
    assert states(store, send_id) == {"sending": 4}
    assert answer(store, batch)
    assert not answer(store, batch, State.REFUSED)
    assert states(store, send_id) == {"accepted": 4}
    assert states_of_batches(store) == ["answered"]


def test_what_is_given_back_is_no_longer_this_ones(store: Store) -> None:
    send_id = add(store, batches=1)
    batch = claimed(store)
    with store.writing() as connection:
        send_batches.give_back(connection, batch, now=NOW, not_before=None, attempts=0, detail="held up")
    assert states(store, send_id) == {"queued": 4}
    again = claimed(store)
    assert not answer(store, batch)
    assert answer(store, again)


def test_what_is_given_back_after_it_was_put_in_doubt_is_known_not_to_be_sent(store: Store) -> None:
    send_id = add(store, batches=1)
    batch = claimed(store)
    with store.writing() as connection:
        assert send_batches.expire(connection, LATER, "died") == 1
    assert states(store, send_id) == {"in_doubt": 4}
    with store.writing() as connection:
        send_batches.give_back(connection, batch, now=LATER, not_before=None, attempts=0, detail="held up")
    assert states(store, send_id) == {"cancelled": 4}
    assert claim(store, now=LATER) is None


@pytest.mark.parametrize("ended_first", [True, False])
def test_what_comes_back_of_a_cancelled_send_is_cancelled_as_well(store: Store, ended_first: bool) -> None:
    send_id = add(store, batches=2)
    batch = claimed(store)

    def cancel() -> None:
        with store.writing() as connection:
            send_endings.cancel(connection, send_id, actor="li.na", reason="a slip", now=NOW)

    if ended_first:
        cancel()
    with store.writing() as connection:
        send_batches.give_back(connection, batch, now=NOW, not_before=LATER, attempts=1, detail="no connection")
    if not ended_first:
        assert states(store, send_id) == {"queued": 4}
        cancel()
    assert states(store, send_id) == {"cancelled": 4}
    assert claim(store, now=LATER) is None
    who = {(row.settled_by, row.settled_reason) for row in rows(store, tables.send_recipients)}
    assert who == {("li.na", "a slip")}


def test_what_comes_back_of_a_send_whose_account_was_refused_is_not_tried_either(store: Store) -> None:
    send_id = add(store, batches=2)
    batch = claimed(store)
    with store.writing() as connection:
        send_endings.refuse_queued(connection, send_id, 6003, "not tried", NOW)
        send_batches.give_back(connection, batch, now=NOW, not_before=None, attempts=1, detail="no connection")
    assert states(store, send_id) == {"refused": 4}
    assert {row.code for row in rows(store, tables.send_recipients)} == {6003}
    assert claim(store, now=LATER) is None


def test_what_is_queued_under_an_ended_send_all_the_same_is_ended_when_it_is_claimed(store: Store) -> None:
    send_id, other = add(store, batches=2), add(store, batches=1, not_before=NOW + timedelta(seconds=1))
    with store.writing() as connection:
        send_endings.cancel(connection, send_id, actor="li.na", reason="a slip", now=NOW)
        # As a process of the release before gives it back.
        connection.execute(update(tables.send_batches).values(state=State.QUEUED))
        connection.execute(update(tables.send_recipients).values(state=State.QUEUED))
    batch = claim(store, now=LATER)
    assert batch is not None
    assert batch.send_id == other
    assert states(store, send_id) == {"cancelled": 4}


@pytest.mark.parametrize("first", ["give back", "cancel"])
def test_cancelling_and_giving_back_wait_for_each_other(store: Store, database_url: str, first: str) -> None:
    send_id = add(store, batches=1)
    batch = claimed(store)
    second_is_done = threading.Event()

    def act(which: str, connection: Connection) -> None:
        if which == "cancel":
            send_endings.cancel(connection, send_id, actor="li.na", reason="a slip", now=NOW)
        else:
            send_batches.give_back(connection, batch, now=NOW, not_before=None, attempts=1, detail="held up")

    def second() -> None:
        other = Store(database_url)
        with other.writing() as connection:
            act("cancel" if first == "give back" else "give back", connection)
        second_is_done.set()
        other.close()

    thread = threading.Thread(target=second)
    with store.writing() as connection:
        act(first, connection)
        thread.start()
        # Time enough for one that nothing holds off; one that is held off never comes while this is open.
        assert not second_is_done.wait(0.5)
    thread.join()
    assert states(store, send_id) == {"cancelled": 4}


def test_cancelling_and_giving_back_at_once_leave_nothing_queued(store: Store, database_url: str) -> None:
    for _ in range(20):
        send_id = add(store, batches=1)
        batch = claimed(store)
        other, meet = Store(database_url), threading.Barrier(2)

        def give_back(batch: Claimed = batch, meet: threading.Barrier = meet) -> None:
            meet.wait()
            with store.writing() as connection:
                send_batches.give_back(connection, batch, now=NOW, not_before=None, attempts=1, detail="held up")

        def cancel(send_id: UUID = send_id, other: Store = other, meet: threading.Barrier = meet) -> None:
            meet.wait()
            with other.writing() as connection:
                send_endings.cancel(connection, send_id, actor="li.na", reason="a slip", now=NOW)

        with ThreadPoolExecutor(2) as threads:
            for done in [threads.submit(give_back), threads.submit(cancel)]:
                done.result()
        other.close()
        assert states(store, send_id) == {"cancelled": 4}


def test_a_lease_that_has_run_out_is_in_doubt_and_no_other(store: Store) -> None:
    send_id = add(store, batches=2)
    claimed(store)
    with store.reading() as connection:
        assert not send_batches.lost(connection, NOW)
        assert send_batches.due(connection, NOW)
        assert send_batches.lost(connection, LATER)
    with store.writing() as connection:
        assert send_batches.expire(connection, NOW, "died") == 0
        assert send_batches.expire(connection, LATER, "died") == 1
        assert send_batches.expire(connection, LATER, "died") == 0
    assert states(store, send_id) == {"in_doubt": 2, "queued": 2}


def test_there_is_work_where_a_batch_is_due_or_was_left_behind(store: Store) -> None:
    def is_due(moment: datetime) -> bool:
        with store.reading() as connection:
            return send_batches.due(connection, moment)

    assert not is_due(LATER)
    add(store, batches=1, not_before=NOW)
    assert not is_due(NOW - timedelta(seconds=1))
    assert is_due(NOW)
    batch = claimed(store)
    assert not is_due(NOW)
    assert is_due(LATER)
    answer(store, batch)
    assert not is_due(LATER)


def test_cancelling_and_refusing_leave_what_is_with_the_gateway(store: Store) -> None:
    one, other = add(store), add(store)
    batch = claimed(store)
    assert batch.send_id == one
    with store.writing() as connection:
        assert send_endings.cancel(connection, one, actor="li.na", reason="a slip", now=NOW) == 2
        assert send_endings.refuse_queued(connection, other, 6003, "not tried", NOW) == 4
        assert send_endings.refuse_queued(connection, other, 6003, "not tried", NOW) == 0
    assert states(store, one) == {"sending": 2, "cancelled": 2}
    assert states(store, other) == {"refused": 4}
    assert answer(store, batch)
    assert states(store, one) == {"accepted": 2, "cancelled": 2}


def test_only_what_is_in_doubt_is_settled_and_the_answer_does_not_change_it(store: Store) -> None:
    send_id = add(store, batches=2)
    batch = claimed(store)
    values = {"state": State.REFUSED, "settled_at": NOW, "settled_by": "li.na", "settled_reason": "x"}
    with store.writing() as connection:
        assert send_endings.settle(connection, send_id, None, values) == 0
        send_batches.expire(connection, LATER, "died")
        assert send_endings.settle(connection, send_id, [batch.phones[0][0]], values) == 1
    assert answer(store, batch)
    assert states(store, send_id) == {"accepted": 1, "refused": 1, "queued": 2}


def test_sends_are_listed_newest_first_and_filtered(store: Store) -> None:
    old = add(store, at=NOW - timedelta(hours=2))
    doubtful = add(store, batches=1)
    newest = add(store)
    batch = claim(store, send_id=doubtful)
    assert batch is not None
    answer(store, batch, State.IN_DOUBT)

    def listed(chosen: sends.Filter, **given: Any) -> list[UUID]:
        with store.reading() as connection:
            return [row["id"] for row in sends.page(connection, chosen, **{"limit": 10, **given})]

    assert listed(sends.Filter()) == [newest, doubtful, old]
    assert listed(sends.Filter(), limit=1) == [newest]
    assert listed(sends.Filter(), after=newest) == [doubtful, old]
    assert listed(sends.Filter(since=NOW)) == [newest, doubtful]
    assert listed(sends.Filter(until=NOW)) == [old]
    assert listed(sends.Filter(in_doubt=True)) == [doubtful]


def test_recipients_are_paged_by_phone_and_chosen_by_state(store: Store) -> None:
    send_id = add(store, people=5)
    batch = claimed(store)

    def listed(**given: Any) -> list[str]:
        with store.reading() as connection:
            return [row["phone"][-1] for row in sends.recipients(connection, send_id, **{"limit": 10, **given})]

    assert listed(limit=2) == ["0", "1"]
    assert listed(after="+8615400000001") == ["2", "3", "4"]
    assert listed(state=State.SENDING) == ["0", "2", "4"]
    assert listed(state=State.QUEUED) == ["1", "3"]
    assert listed(unreached=True) == []
    answer(store, batch, State.REFUSED)
    assert listed(unreached=True) == ["0", "2", "4"]
    with store.reading() as connection:
        outcomes = [(row["state"], row["people"]) for row in sends.outcomes(connection, send_id)]
        assert send_batches.dealt_with(connection, send_id) == (3, 5)
    assert outcomes == [("refused", 3), ("queued", 2)]

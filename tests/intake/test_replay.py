"""Replay stores a kept delivery as the reply that it was: once, whole, and with its own time."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, RowMapping, select

from receiver.intake import replay
from receiver.intake.replay import Replay, Result, Status
from receiver.store import messages, optouts, quarantine
from receiver.store.errors import Conflict, Refused, StoreError, Unavailable
from receiver.store.record import record as real_record
from receiver.store.store import Store
from receiver.store.tables import ledger
from receiver.vocabulary import (
    Delivery,
    Kind,
    Origin,
    Quarantined,
    Reading,
    Reason,
    Reply,
    Undeliverable,
    earliest_id,
    new_id,
)
from receiver.vocabulary.parse import parse

WINDOW = timedelta(seconds=120)
LONG_AGO = datetime(2025, 6, 3, 9, 12, 5, tzinfo=UTC)
SPOKEN = b"src=13912345678&dst=1069&msg=hello"
STOP = b"src=13912345678&dst=1069&msg=0000"


@pytest.fixture
def again(store: Store) -> Replay:
    return Replay(store, _read, WINDOW)


def _read(kept: Mapping[str, Any]) -> Reply | Undeliverable:
    said = parse(kept["raw"], Reading())
    if isinstance(said, Undeliverable):
        return said
    return Reply(kept["id"], kept["received_at"], Origin.PUSH, kept["peer"], said)


def _keep(store: Store, raw: bytes, at: datetime = LONG_AGO) -> UUID:
    # An id of its time, as the callback makes it.
    made = UUID(int=earliest_id(at).int | new_id().int & (1 << 62) - 1)
    kept = Quarantined(made, at, "203.81.21.34", Undeliverable(Reason.METHOD, "kept by a test", raw))
    store.record([], [kept], WINDOW)
    return kept.id


def _message(store: Store, message_id: UUID) -> RowMapping | None:
    with store.reading() as connection:
        return messages.get(connection, message_id)


def _count(store: Store) -> int:
    with store.reading() as connection:
        return len(messages.page(connection, messages.Filter(), limit=500))


def test_a_reply_has_the_time_and_peer_that_it_came_with(store: Store, again: Replay) -> None:
    kept = _keep(store, SPOKEN)
    assert again.one(kept) == Result(kept, Status.REPLAYED, Kind.REPLY)
    message = _message(store, kept)
    assert message is not None
    assert (message["received_at"], message["peer"]) == (LONG_AGO, "203.81.21.34")
    assert (message["origin"], message["src"], message["text"]) == ("push", "+8613912345678", "hello")
    with store.reading() as connection:
        row = quarantine.get(connection, kept)
    assert row is not None
    assert row["message_id"] == kept
    assert datetime.now(UTC) - row["replayed_at"] < timedelta(minutes=1)


def test_an_unsubscribe_is_in_force_since_it_came(store: Store, again: Replay) -> None:
    kept = _keep(store, STOP)
    assert again.one(kept).kind is Kind.UNSUBSCRIBE
    with store.reading() as connection:
        found = optouts.suppressed(connection, ["+8613912345678"])
    assert found["+8613912345678"]["since"] == LONG_AGO
    assert found["+8613912345678"]["message_id"] == kept


@pytest.mark.parametrize(("seconds", "flagged"), [(60, True), (-60, True), (180, False), (-180, False)])
def test_a_duplicate_is_one_of_its_own_time(seconds: int, flagged: bool, store: Store, again: Replay) -> None:
    kept = _keep(store, SPOKEN)
    said = parse(SPOKEN, Reading())
    assert isinstance(said, Delivery)
    moment = LONG_AGO + timedelta(seconds=seconds)
    other = Reply(earliest_id(moment), moment, Origin.PUSH, None, said)
    store.record([other], [], WINDOW)
    assert again.one(kept).duplicate_of == (other.id if flagged else None)


def test_what_cant_be_accepted_stays_as_it_is(store: Store, again: Replay) -> None:
    kept = _keep(store, b"src=13912345678&msg=hi")
    result = again.one(kept)
    assert (result.status, result.detail) == (Status.LEFT, "missing-dst: there is no parameter dst")
    with store.reading() as connection:
        row = quarantine.get(connection, kept)
    assert row is not None
    assert row["replayed_at"] is None
    assert _count(store) == 0


def test_two_at_once_store_one(store: Store) -> None:
    kept = _keep(store, STOP)
    together = threading.Barrier(4)
    results: list[Status] = []

    def read(kept: Mapping[str, Any]) -> Reply | Undeliverable:
        together.wait(timeout=20)  # all have seen it unclaimed
        return _read(kept)

    def work() -> None:
        results.append(Replay(store, read, WINDOW).one(kept).status)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted([Status.REPLAYED, *[Status.ALREADY] * 3])
    assert _count(store) == 1
    with store.reading() as connection:
        assert len(_events(connection)) == 1


def _events(connection: Connection) -> list[object]:
    return list(connection.execute(select(ledger.c.sequence)))


@pytest.mark.parametrize("failure", [Refused, Unavailable])
def test_a_delivery_whose_reply_fails_is_not_marked(
    failure: type[StoreError], store: Store, again: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = _keep(store, SPOKEN)

    def fail(*_: object) -> None:
        raise failure("DiskFull: no room")

    monkeypatch.setattr(replay, "record", fail)
    if failure is Refused:
        assert again.one(kept) == Result(kept, Status.LEFT, detail="the database refused it: DiskFull")
    else:
        with pytest.raises(Unavailable):
            again.one(kept)
    monkeypatch.undo()
    assert again.one(kept).status is Status.REPLAYED


def test_other_writers_are_met_a_few_times(store: Store, again: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = _keep(store, SPOKEN)
    met = [Conflict("deadlock")] * 4

    def record(*arguments: Any) -> None:
        if met:
            raise met.pop()
        real_record(*arguments)

    monkeypatch.setattr(replay, "record", record)
    assert again.one(kept).status is Status.REPLAYED
    assert met == []


def test_what_is_not_there_is_said(again: Replay) -> None:
    assert again.one(new_id()).status is Status.UNKNOWN

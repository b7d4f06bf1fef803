"""The index is kept from the feed, a little at a time, and SQLite is left to others in between."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from receiver.store import messages, search
from receiver.store.store import Store
from receiver.vocabulary import Delivery, Origin, Reading, Reply, new_id
from receiver.vocabulary.parse import parse
from receiver.worker import following, indexing
from receiver.worker.following import Pace
from receiver.worker.indexing import task
from receiver.worker.lease import Lease, Leases
from tests.worker.conftest import Time, standing


def fill(store: Store, count: int) -> None:
    said = parse("src=13912345678&dst=1069&msg=医院".encode(), Reading())
    assert isinstance(said, Delivery)
    replies = [Reply(new_id(), datetime.now(UTC), Origin.PUSH, None, said) for _ in range(count)]
    store.record(replies, [], timedelta(0))


def waiting(store: Store) -> bool:
    with store.reading() as connection:
        return search.is_behind(connection)


@pytest.fixture
def lease(store: Store, time_: Time) -> Lease:
    leases = Leases(store, now=time_.now, clock=time_.clock)
    claimed = leases.claim(indexing.NAME, leases.look(indexing.NAME), 60.0)
    assert claimed is not None
    return claimed


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, time_: Time) -> list[tuple[str, float]]:
    """Every transaction that indexes takes a tenth of a second; they and the waits between them, as they come."""
    seen: list[tuple[str, float]] = []
    index = search.index

    def slow(connection: Any, *, limit: int) -> int:
        indexed = index(connection, limit=limit)
        time_.pass_(0.1)
        seen.append(("indexed", indexed))
        return indexed

    monkeypatch.setattr(search, "index", slow)
    return seen


def test_after_each_transaction_a_reply_has_as_long_to_be_stored_on_sqlite(
    store: Store, lease: Lease, time_: Time, steps: list[tuple[str, float]]
) -> None:
    fill(store, 120)

    def wait(seconds: float) -> bool:
        steps.append(("waited", seconds))
        time_.pass_(seconds)
        return False

    done = task(store, now=time_.now).run(lease, wait)
    assert done.detail == "120 messages indexed"
    assert not waiting(store)
    worked = [place for place, (what, count) in enumerate(steps) if what == "indexed" and count]
    rests = [steps[place + 1] for place in worked]
    assert len(worked) > 1
    if store.description.startswith("sqlite"):
        assert all(what == "waited" and seconds >= 0.1 - 1e-9 for what, seconds in rests)
    else:
        assert all(rest == ("waited", 0.0) for rest in rests)


def test_transactions_become_smaller_where_they_take_long_and_larger_where_they_do_not() -> None:
    pace = Pace(0.01, shares=True)
    sizes = []
    for _ in range(12):
        pace.rest_after(pace.size * 0.001)
        sizes.append(pace.size)
    assert set(sizes[-3:]) == {10}
    for _ in range(12):
        pace.rest_after(pace.size * 0.000_1)
    assert pace.size == 100
    for _ in range(12):
        pace.rest_after(0.0)
    assert pace.size == 1_000


def test_it_ends_after_the_transaction_that_runs_when_it_is_told_to_and_goes_on_from_there(
    store: Store, lease: Lease, steps: list[tuple[str, float]], time_: Time
) -> None:
    fill(store, 120)
    done = task(store, now=time_.now).run(lease, lambda _: True)
    assert len(steps) == 1
    assert done.detail == f"{steps[0][1]} messages indexed"
    assert waiting(store)
    task(store, now=time_.now).run(lease, lambda _: False)
    assert not waiting(store)
    with store.reading() as connection:
        assert len(messages.page(connection, messages.Filter(text="医院"), limit=500)) == 120


def test_a_long_run_keeps_its_lease_and_says_how_far_it_is(
    store: Store, lease: Lease, steps: list[tuple[str, float]], time_: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_MOST", 10)
    monkeypatch.setattr(following, "_FIRST", 10)
    fill(store, 60)
    told = []

    def wait(_: float) -> bool:
        time_.pass_(20)
        told.append(standing(store, indexing.NAME).detail)
        return False

    task(store, now=time_.now).run(lease, wait)
    assert told[:4] == [None, "10 messages indexed so far", "20 messages indexed so far", "30 messages indexed so far"]
    assert lease.deadline > time_.now()


def test_what_comes_in_while_the_index_is_tidied_is_indexed_first(
    store: Store, lease: Lease, time_: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, 5)
    seen: list[str] = []

    def tidy(_: Any) -> bool:
        seen.append("behind" if waiting(store) else "indexed")
        return len(seen) == 1

    monkeypatch.setattr(search, "tidy", tidy)

    def wait(_: float) -> bool:
        if len(seen) == 1 and "more came" not in seen:
            seen.append("more came")
            fill(store, 3)
        return False

    task(store, now=time_.now).run(lease, wait)
    assert seen == ["indexed", "more came", "indexed"]


def test_positions_go_on_behind_those_of_another_cluster(postgresql_url: str, time_: Time) -> None:
    store = Store(postgresql_url)
    fill(store, 1)
    with store.writing() as connection:
        connection.execute(text("UPDATE messages SET position = position + 1000000"))
    leases = Leases(store, now=time_.now, clock=time_.clock)
    claimed = leases.claim(indexing.NAME, leases.look(indexing.NAME), 60.0)
    assert claimed is not None
    task(store).run(claimed, lambda _: False)
    assert not waiting(store)
    fill(store, 2)
    assert waiting(store)
    task(store).run(claimed, lambda _: False)
    with store.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM message_search")) == 3
    store.close()

"""Ids are UUIDv7: strictly increasing within a process, whatever the clock does, and ordered by time across all."""

import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

import pytest

from receiver.vocabulary import earliest_id, ids, new_id


class Clock:
    """A clock that stands where a test puts it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)

    def __call__(self) -> int:
        return (self.now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    stopped = Clock()
    with monkeypatch.context() as patch:
        patch.setattr(ids, "_last_tick", 0)
        patch.setattr(time, "time_ns", stopped)
        yield stopped


def milliseconds(identifier: UUID) -> int:
    return identifier.int >> 80


def test_an_id_says_what_it_is_and_when_it_was_made(clock: Clock) -> None:
    made = new_id()
    assert (made.version, made.variant) == (7, RFC_4122)
    assert milliseconds(made) == clock.now.timestamp() * 1000


def test_ids_of_one_moment_differ_and_increase(clock: Clock) -> None:
    made = [new_id() for _ in range(10_000)]
    assert made == sorted(set(made))
    assert milliseconds(made[-1]) - milliseconds(made[0]) <= 3  # 4,096 of them to a millisecond


def test_ids_increase_while_the_clock_steps_back(clock: Clock) -> None:
    before = new_id()
    clock.now -= timedelta(hours=1)
    during = [new_id() for _ in range(100)]
    clock.now += timedelta(hours=1, seconds=1)
    after = new_id()
    assert [before, *during, after] == sorted([before, *during, after])
    assert milliseconds(after) == clock.now.timestamp() * 1000


def test_ids_of_eight_threads_are_unique_and_increase_in_each() -> None:
    made: list[list[UUID]] = [[] for _ in range(8)]
    start = threading.Barrier(8)

    def make(mine: list[UUID]) -> None:
        start.wait()
        mine.extend(new_id() for _ in range(2_000))

    threads = [threading.Thread(target=make, args=[mine]) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(mine == sorted(mine) for mine in made)
    assert len({identifier for mine in made for identifier in mine}) == 16_000


def test_ids_order_by_time_whichever_process_made_them(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = new_id()
    monkeypatch.setattr(ids, "_last_tick", 0)  # as another process begins
    clock.now += timedelta(milliseconds=1)
    assert ours < new_id()


def test_ids_made_at_or_after_a_moment_are_those_from_its_earliest_on(clock: Clock) -> None:
    moment = clock.now
    clock.now = moment - timedelta(milliseconds=1)
    before = new_id()
    clock.now = moment
    at = new_id()
    assert before < earliest_id(moment) < at
    assert earliest_id(moment).version == 7
    assert earliest_id(moment.astimezone()) == earliest_id(moment)


def test_the_earliest_id_of_a_moment_before_1970_is_the_smallest() -> None:
    assert milliseconds(earliest_id(datetime(1969, 1, 1, tzinfo=UTC))) == 0


def test_a_forked_process_makes_other_ids_than_its_parent() -> None:
    new_id()  # so that there are random bytes left over, which both would go on with
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.write(write, new_id().bytes)
        os._exit(0)
    os.waitpid(child, 0)
    theirs, ours = os.read(read, 16), new_id().bytes
    assert theirs[8:] != ours[8:]

"""Group commit: one write serves all that wait, what waits is bounded, and everyone hears what became of theirs."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import gevent
import pytest

from receiver.intake import Outcome
from receiver.intake.greenlets import Greenlets
from receiver.intake.group_commit import LARGEST_BATCH, GroupCommit
from receiver.tally import Commits

STORED, QUARANTINED, UNAVAILABLE = Outcome.STORED, Outcome.QUARANTINED, Outcome.UNAVAILABLE
BUSY = Outcome.BUSY
COUNTED = Commits.of("database")


class Database:
    """Remembers the batches that it was given; can be made to wait."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = threading.Event()
        self.open.set()
        self.reached = threading.Event()

    def write(self, batch: Sequence[int]) -> Sequence[Outcome]:
        self.batches.append(list(batch))
        self.reached.set()
        assert self.open.wait(30)
        return [QUARANTINED if item % 10 == 9 else STORED for item in batch]


@pytest.fixture
def database() -> Database:
    return Database()


Make = Callable[..., GroupCommit[int]]


@pytest.fixture
def group_commit(database: Database) -> Iterator[Make]:
    made: list[GroupCommit[int]] = []

    def make(
        write: Callable[[Sequence[int]], Sequence[Outcome]] = database.write,
        max_waiting: int = 1_000,
        timeout: float = 30,
    ) -> GroupCommit[int]:
        made.append(GroupCommit(write, COUNTED, max_waiting=max_waiting, timeout=timeout))
        return made[-1]

    yield make
    database.open.set()
    for commits in made:
        commits.close()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(700) as pool:
        yield pool


def waiting_behind_a_slow_write(
    commits: GroupCommit[int], database: Database, threads: ThreadPoolExecutor, items: Sequence[int]
) -> list[Future[Outcome]]:
    """Submits 0, which the database is busy with, and then ``items``, which wait behind it."""
    database.open.clear()
    first = threads.submit(commits.submit, 0)
    assert database.reached.wait(30)
    others = [threads.submit(commits.submit, item) for item in items]
    until(lambda: commits.waiting == len(items) + 1)
    return [first, *others]


def test_what_comes_alone_is_written_alone_and_at_once(group_commit: Make, database: Database) -> None:
    commits = group_commit()
    assert [commits.submit(1), commits.submit(2), commits.submit(9)] == [STORED, STORED, QUARANTINED]
    assert database.batches == [[1], [2], [9]]
    assert commits.waiting == 0


def test_all_that_wait_are_written_with_one_write(
    group_commit: Make, database: Database, threads: ThreadPoolExecutor
) -> None:
    commits = group_commit()
    answers = waiting_behind_a_slow_write(commits, database, threads, range(1, 65))
    database.open.set()
    assert all(answer.result(30) is STORED for item, answer in enumerate(answers) if item % 10 != 9)
    assert [sorted(batch) for batch in database.batches] == [[0], list(range(1, 65))]


def test_everyone_hears_what_became_of_theirs(
    group_commit: Make, database: Database, threads: ThreadPoolExecutor
) -> None:
    commits = group_commit()
    answers = waiting_behind_a_slow_write(commits, database, threads, range(1, 40))
    database.open.set()
    heard = [answer.result(30) for answer in answers]
    assert heard == [QUARANTINED if item % 10 == 9 else STORED for item in range(40)]


def test_one_write_is_bounded_and_what_is_over_waits_for_the_next(
    group_commit: Make, database: Database, threads: ThreadPoolExecutor
) -> None:
    commits = group_commit()
    answers = waiting_behind_a_slow_write(commits, database, threads, range(1, 2 * LARGEST_BATCH + 11))
    database.open.set()
    assert {UNAVAILABLE, BUSY}.isdisjoint(answer.result(30) for answer in answers)
    assert [len(batch) for batch in database.batches] == [1, LARGEST_BATCH, LARGEST_BATCH, 10]


def test_one_more_than_may_wait_is_busy_at_once(
    group_commit: Make, database: Database, threads: ThreadPoolExecutor
) -> None:
    commits = group_commit(max_waiting=3)
    answers = waiting_behind_a_slow_write(commits, database, threads, [1, 2])
    began = time.monotonic()
    assert commits.submit(3) is BUSY
    assert commits.offer(4) is None
    assert time.monotonic() - began < 1
    database.open.set()
    assert [answer.result(30) for answer in answers] == [STORED] * 3
    assert commits.submit(5) is STORED  # there is room again
    assert all(3 not in batch for batch in database.batches)


def test_nobody_waits_longer_than_the_timeout_and_what_was_in_line_may_still_be_stored(
    group_commit: Make, database: Database
) -> None:
    commits = group_commit(timeout=0.1)
    database.open.clear()
    began = time.monotonic()
    assert commits.submit(1) is UNAVAILABLE
    assert 0.1 <= time.monotonic() - began < 2
    assert commits.submit(2) is UNAVAILABLE
    database.open.set()
    until(lambda: commits.waiting == 0)
    assert database.batches == [[1], [2]]
    assert commits.submit(3) is STORED


def test_a_write_that_fails_is_unavailable_to_all_in_it_and_the_next_succeeds(
    group_commit: Make, database: Database
) -> None:
    def write(batch: Sequence[int]) -> Sequence[Outcome]:
        if 1 in batch:
            raise RuntimeError("a fault of ours")
        return database.write(batch)

    commits = group_commit(write)
    assert [commits.submit(1), commits.submit(2)] == [UNAVAILABLE, STORED]
    assert commits.waiting == 0


def test_closing_writes_what_waits_and_refuses_what_is_new(
    group_commit: Make, database: Database, threads: ThreadPoolExecutor
) -> None:
    commits = group_commit()
    answers = waiting_behind_a_slow_write(commits, database, threads, range(1, 2 * LARGEST_BATCH))
    closing = threads.submit(commits.close)
    until(lambda: commits.offer(1_000) is None)
    assert commits.submit(1_001) is BUSY
    assert not closing.done()
    database.open.set()
    closing.result(30)
    assert {UNAVAILABLE, BUSY}.isdisjoint(answer.result(30) for answer in answers)
    assert sum(map(len, database.batches)) <= 2 * LARGEST_BATCH + 1


def test_closing_what_is_idle_or_closed_returns(group_commit: Make) -> None:
    commits = group_commit()
    commits.close()
    commits.close()


def test_what_is_offered_is_written_without_being_waited_for(group_commit: Make, database: Database) -> None:
    commits = group_commit()
    commits.offer(1)
    until(lambda: database.batches == [[1]])


def test_a_hundred_greenlets_share_a_write_and_the_loop_is_never_held_up(database: Database) -> None:
    commits = GroupCommit(database.write, COUNTED, max_waiting=1_000, timeout=30, host=Greenlets())
    database.open.clear()
    waiting = [gevent.spawn(commits.submit, 1) for _ in range(100)]
    ticks = 0
    for _ in range(20):
        gevent.sleep(0.005)
        ticks += 1
    assert ticks == 20
    assert not any(greenlet.ready() for greenlet in waiting)
    database.open.set()
    gevent.joinall(waiting, timeout=30)
    assert [greenlet.value for greenlet in waiting] == [STORED] * 100
    assert [len(batch) for batch in database.batches] == [100]
    # A second round, from the loop that the first has left.
    assert gevent.spawn(commits.submit, 2).get(timeout=30) is STORED
    commits.close()


def test_two_that_share_a_host_forget_nobody_whom_both_have_to_start_at_once(database: Database) -> None:
    host = Greenlets()
    pair = [GroupCommit(database.write, COUNTED, max_waiting=10, timeout=30, host=host) for _ in range(2)]
    for _ in range(3):
        waiting = [gevent.spawn(commits.submit, 1) for commits in pair]
        gevent.joinall(waiting, timeout=20)
        assert [greenlet.value for greenlet in waiting] == [STORED] * 2
    for commits in pair:
        commits.close()


def test_an_event_loop_that_closes_it_amid_a_write_is_not_what_the_write_waits_for(database: Database) -> None:
    commits = GroupCommit(database.write, COUNTED, max_waiting=10, timeout=0.01, host=Greenlets())
    database.open.clear()
    assert gevent.spawn(commits.submit, 1).get(timeout=30) is UNAVAILABLE, "a disk that takes longer than anybody waits"
    assert not commits.close(0.01), "and still does"
    threading.Timer(0.05, database.open.set).start()
    assert commits.close()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.002)

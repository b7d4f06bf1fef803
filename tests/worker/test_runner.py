"""A worker's tasks: run when they are due, by one at a time, visible, and none in another's way."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from receiver.gateway.client import Refusal
from receiver.store.errors import Unavailable
from receiver.store.store import Store
from receiver.worker.lease import LONGEST_REST, Lease, Leases
from receiver.worker.runner import FAULT_RETRY, OUTAGE_RETRY, ChoreRunner, Outage, TaskRunner
from receiver.worker.task import Chore, Ran, Task, Wait
from receiver.worker.worker import Worker
from tests.worker.conftest import Time, standing


class Steps:
    """Lets a runner make so many steps, and time pass between them as it asks."""

    def __init__(self, time_: Time, count: int) -> None:
        self.waited: list[float] = []
        self._time, self._count = time_, count

    def __call__(self, seconds: float) -> bool:
        self.waited.append(seconds)
        self._time.pass_(seconds)
        return len(self.waited) >= self._count


NewRunner = Callable[..., tuple[TaskRunner, Steps]]


@pytest.fixture
def new_runner(store: Store, time_: Time) -> NewRunner:
    def make(run: Callable[[Lease, Wait], Ran], steps: int = 1, **options: Any) -> tuple[TaskRunner, Steps]:
        task = Task("t", run=run, **{"lease": 10.0, "look_every": 300.0, **options})
        wait = Steps(time_, steps)
        return TaskRunner(task, Leases(store, now=time_.now, clock=time_.clock), Outage(), wait, time_.now), wait

    return make


def well(_lease: Lease, _wait: Wait) -> Ran:
    return Ran(60, "well")


def test_a_task_runs_when_it_is_due_and_says_how_it_went(new_runner: NewRunner, store: Store, time_: Time) -> None:
    runs: list[float] = []

    def run(_lease: Lease, _wait: Wait) -> Ran:
        runs.append(time_.now())
        time_.pass_(5)
        return Ran(60, f"run {len(runs)}")

    runner, _ = new_runner(run, steps=3)
    runner.run()
    assert runs == [0, 65, 130]
    now = standing(store)
    assert (now.holder, now.failures, now.detail) == (None, 0, "run 3")
    assert now.finished_at is not None
    assert (now.next_at - now.finished_at).total_seconds() == 60


def test_a_failure_is_visible_and_rests_ever_longer_until_it_is_well_again(
    new_runner: NewRunner, store: Store, time_: Time
) -> None:
    def fail(_lease: Lease, _wait: Wait) -> Ran:
        raise OSError(111, "Connection refused")

    runner, steps = new_runner(fail, steps=5)
    runner.run()
    assert steps.waited == [2, 4, 8, 16, 32]
    now = standing(store)
    assert (now.failures, now.error) == (5, "ConnectionRefusedError: [Errno 111] Connection refused")
    runner, _ = new_runner(well)
    runner.run()
    now = standing(store)
    assert (now.failures, now.error, now.detail) == (0, None, "well")


def test_a_failure_that_only_people_can_mend_rests_for_five_minutes(new_runner: NewRunner, store: Store) -> None:
    def refused(_lease: Lease, _wait: Wait) -> Ran:
        raise Refusal(6003, "13900000001 secret")

    runner, steps = new_runner(refused, hopeless=(Refusal,))
    runner.run()
    assert steps.waited == [LONGEST_REST]
    error = standing(store).error
    assert error is not None
    assert "6003" in error
    assert "secret" not in error
    assert "1390000" not in error


def test_what_an_error_quotes_is_told_to_nobody(
    new_runner: NewRunner, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def fault(_lease: Lease, _wait: Wait) -> Ran:
        Leases.claim(None, "a secret of 13900000001", None, 1e9)  # type: ignore[arg-type]
        raise AssertionError("not reached")

    runner, _ = new_runner(fault)
    runner.run()
    error = standing(store).error
    assert error is not None
    assert error.startswith("ValueError in receiver/worker/lease.py:")
    assert "secret" not in caplog.text


def test_what_is_due_sooner_for_work_is_not_while_it_fails(new_runner: NewRunner, store: Store, time_: Time) -> None:
    work, runs = [True], []

    def run(_lease: Lease, _wait: Wait) -> Ran:
        runs.append(time_.now())
        return Ran(60)

    runner, _ = new_runner(run, steps=4, look_every=2, has_work=lambda: work[0])
    runner.run()
    assert runs == [0, 2, 4, 6]
    work[0] = False
    runner, _ = new_runner(run, steps=10, look_every=2, has_work=lambda: work[0])
    runner.run()
    assert len(runs) == 4

    def fail(_lease: Lease, _wait: Wait) -> Ran:
        runs.append(time_.now())
        raise OSError(5, "Input/output error")

    work[0] = True
    runner, _ = new_runner(fail, steps=10, look_every=2, has_work=lambda: work[0], retry_after=60)
    runner.run()
    assert len(runs) == 5


def test_who_finds_nothing_to_do_takes_no_write_lock(
    new_runner: NewRunner, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_runner(well, look_every=2)[0].run()

    def writing(_self: Store) -> Any:
        raise AssertionError("a write transaction")

    monkeypatch.setattr(Store, "writing", writing)
    runner, steps = new_runner(well, steps=20, look_every=2, has_work=lambda: False)
    runner.run()
    assert min(steps.waited) >= 1


def test_even_a_fault_of_ours_in_waiting_for_its_turn_does_not_end_a_task(
    new_runner: NewRunner, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def fault() -> bool:
        raise KeyError("13900000001")

    runner, steps = new_runner(well, steps=3, look_every=2, has_work=fault)
    runner.run()
    assert steps.waited == [2, FAULT_RETRY, 2]
    assert "KeyError in receiver/worker/runner.py" in caplog.text
    assert "1390000" not in caplog.text


def test_what_another_runs_is_left_to_it(new_runner: NewRunner, store: Store, time_: Time) -> None:
    leases = Leases(store, now=time_.now, clock=time_.clock)
    leases.claim("t", leases.look("t"), 10)

    def run(_lease: Lease, _wait: Wait) -> Ran:
        raise AssertionError("it is another's")

    runner, steps = new_runner(run, steps=3, look_every=2)
    runner.run()
    assert steps.waited == [2, 2, 2]


def test_a_run_that_takes_longer_than_its_lease_is_said_once_and_another_takes_over(
    new_runner: NewRunner, store: Store, time_: Time, caplog: pytest.LogCaptureFixture
) -> None:
    others: list[float] = []

    def other(_lease: Lease, _wait: Wait) -> Ran:
        others.append(time_.now())
        return Ran(60, "the other's")

    def hang(_lease: Lease, _wait: Wait) -> Ran:
        time_.pass_(9)
        stuck.watch()
        assert "stuck" not in caplog.text
        time_.pass_(2)
        stuck.watch()
        stuck.watch()
        new_runner(other)[0].run()
        return Ran(60, "late")

    stuck, _ = new_runner(hang)
    stuck.run()
    assert others == [11]
    assert caplog.text.count("is stuck") == 1
    assert standing(store).detail == "the other's"
    assert "another worker may have it" in caplog.text


@contextmanager
def down(monkeypatch: pytest.MonkeyPatch, *methods: str) -> Iterator[None]:
    def fail(_self: Store) -> Any:
        raise Unavailable("OperationalError: connection refused")

    with monkeypatch.context() as patch:
        for method in methods:
            patch.setattr(Store, method, fail)
        yield


def test_while_the_database_is_down_tasks_wait_and_say_so_once(
    new_runner: NewRunner, store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    runner, steps = new_runner(well, steps=5)
    with down(monkeypatch, "reading", "writing"):
        runner.run()
    assert steps.waited == [OUTAGE_RETRY] * 5
    assert len(caplog.records) == 1
    runner.run()
    assert [record.message.partition(",")[0] for record in caplog.records] == [
        "the database can't be used", "the database is back",
    ]  # fmt: skip
    assert standing(store).detail == "well"


def test_a_database_that_can_be_looked_at_and_not_written_is_not_back(
    new_runner: NewRunner, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    another, _ = new_runner(well)
    another._turn()
    looking, _ = new_runner(well)
    looking._outage.began(Unavailable("OperationalError: database is locked"))
    with down(monkeypatch, "writing"):
        looking.run()
    assert "the database can't be used" in caplog.text
    assert "the database is back" not in caplog.text


def test_how_a_run_went_is_told_when_the_database_is_back(
    new_runner: NewRunner, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []

    def run(_lease: Lease, _wait: Wait) -> Ran:
        runs.append(1)
        outage.__enter__()
        return Ran(60, "told late")

    outage = down(monkeypatch, "writing")
    runner, _ = new_runner(run, look_every=1)
    runner.run()
    assert standing(store).detail is None
    outage.__exit__(None, None, None)
    runner.run()
    assert standing(store).detail == "told late"
    assert len(runs) == 1


def test_a_chore_that_fails_says_so_once_and_once_when_it_is_well_again(caplog: pytest.LogCaptureFixture) -> None:
    fails = [True, True, True, False, False]
    waited: list[float] = []

    def run() -> None:
        if fails[len(waited)]:
            raise OSError(28, "No space left on device")

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return len(waited) == len(fails)

    ChoreRunner(Chore("sweep", 10, run), wait).run()
    assert waited == [10] * 5
    assert [record.message.partition(",")[0] for record in caplog.records] == ["sweep fails", "sweep is well again"]


def test_one_stuck_task_holds_no_other_and_the_worker_ends_in_time(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    hanging, released, ran = threading.Event(), threading.Event(), threading.Semaphore(0)

    def hang(_lease: Lease, _wait: Wait) -> Ran:
        hanging.set()
        released.wait(60)
        return Ran(60)

    def go_on(_lease: Lease, _wait: Wait) -> Ran:
        ran.release()
        return Ran(0)

    tasks = [Task("stuck", 600, hang), Task("lively", 600, go_on)]
    worker = Worker(store, tasks, [Chore("chore", 0.01, lambda: ran.release())], drain=1)
    ended: list[bool] = []
    thread = threading.Thread(target=lambda: ended.append(worker.run()))
    thread.start()
    assert hanging.wait(30)
    for _ in range(20):
        assert ran.acquire(timeout=30)
    worker.stop()
    thread.join(30)
    assert ended == [False]
    assert "not ended in" in caplog.text
    assert standing(store, "stuck").holder is not None
    assert standing(store, "lively").holder is None
    released.set()
    for left in threading.enumerate():
        if left.name == "stuck":
            left.join(30)


def test_told_to_stop_a_worker_finishes_what_runs_and_gives_it_back(store: Store) -> None:
    running = threading.Event()

    def run(_lease: Lease, wait: Wait) -> Ran:
        running.set()
        assert wait(60), "nobody told it"
        return Ran(60, "finished")

    worker = Worker(store, [Task("t", 600, run)], drain=20)
    thread = threading.Thread(target=worker.run)
    thread.start()
    assert running.wait(30)
    worker.stop()
    thread.join(30)
    now = standing(store)
    assert (now.holder, now.detail) == (None, "finished")


def test_two_workers_share_a_task(store: Store, database_url: str) -> None:
    running, most, count = [0], [0], threading.Semaphore(0)

    def run(_lease: Lease, _wait: Wait) -> Ran:
        running[0] += 1
        most[0] = max(most[0], running[0])
        time.sleep(0.005)
        running[0] -= 1
        count.release()
        return Ran(0)

    stores = [Store(database_url) for _ in range(3)]
    workers = [Worker(own, [Task("t", 600, run, look_every=0.01)], drain=20) for own in stores]
    threads = [threading.Thread(target=worker.run) for worker in workers]
    for thread in threads:
        thread.start()
    for _ in range(30):
        assert count.acquire(timeout=30)
    for worker in workers:
        worker.stop()
    for thread in threads:
        thread.join(30)
    for own in stores:
        own.close()
    assert most == [1]

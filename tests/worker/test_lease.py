"""Leases: one holder at a time, whoever dies and whatever the clocks do."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from receiver.store import tasks as statements
from receiver.store.store import Store
from receiver.worker.lease import LONGEST, LONGEST_REST, Lease, LeaseLost, Leases
from tests.worker.conftest import Time, standing

NewLeases = Callable[[], Leases]


@pytest.fixture
def new_leases(store: Store, time_: Time) -> NewLeases:
    """Another process's leases each time."""
    return lambda: Leases(store, now=time_.now, clock=time_.clock)


def taken(leases: Leases, seconds: float = 10) -> Lease:
    """The task, which must be free and due."""
    seen = leases.look("t")
    assert (seen.holder, seen.wait) == (None, 0)
    lease = leases.claim("t", seen, seconds)
    assert lease is not None
    return lease


@pytest.mark.parametrize("begun", [False, True])
def test_of_sixteen_at_once_one_gets_it(begun: bool, store: Store, database_url: str) -> None:
    if begun:
        taken(Leases(store)).finish(0)
    start = threading.Barrier(16)

    def claim(_: int) -> bool:
        own = Store(database_url)
        leases = Leases(own)
        seen = leases.look("t")
        start.wait()
        lease = leases.claim("t", seen, 10)
        own.close()
        return lease is not None

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(claim, range(16))) == 1


def test_who_has_it_is_seen_by_others_until_it_is_given_back(new_leases: NewLeases, time_: Time) -> None:
    one, other = new_leases(), new_leases()
    lease = taken(one)
    assert other.look("t").holder == one.holder
    assert one.holder != other.holder
    lease.finish(7)
    seen = other.look("t")
    assert (seen.holder, seen.wait) == (None, 7)
    time_.pass_(7)
    taken(other)


def test_what_was_seen_otherwise_cant_be_taken(new_leases: NewLeases) -> None:
    one, other = new_leases(), new_leases()
    seen = other.look("t")
    taken(one).finish(0)
    assert other.claim("t", seen, 10) is None
    seen = other.look("t")
    taken(one).finish(0)
    assert other.claim("t", seen, 10) is None


def test_a_lease_that_has_run_out_is_lost_and_its_end_changes_nothing(
    new_leases: NewLeases, store: Store, time_: Time
) -> None:
    one, other = new_leases(), new_leases()
    lost = taken(one)
    time_.pass_(10)
    before = standing(store)
    with pytest.raises(LeaseLost):
        lost.renew(10)
    assert lost.finish(0, error="late") is False
    assert standing(store).turns == before.turns
    kept = taken(other)
    assert lost.finish(0, error="late") is False
    with pytest.raises(LeaseLost):
        lost.renew(10)
    assert kept.finish(0) is True


def test_a_lease_that_is_renewed_lasts(new_leases: NewLeases, time_: Time) -> None:
    one, other = new_leases(), new_leases()
    lease = taken(one)
    for _ in range(5):
        time_.pass_(9)
        lease.renew(10)
    assert other.look("t").holder == one.holder
    assert lease.deadline == time_.now() + 10
    assert lease.finish(0)


def test_how_it_went_is_kept(new_leases: NewLeases, store: Store, time_: Time) -> None:
    leases = new_leases()
    taken(leases).finish(0, detail="all well")
    failed = taken(leases)
    assert failed.failures == 0
    failed.finish(0, error="first")
    taken(leases).finish(0, error="second")
    now = standing(store)
    assert (now.failures, now.error, now.detail, now.failed_at) == (2, "second", "all well", time_.clock())
    lease = taken(leases)
    lease.renew(10)
    assert (lease.failures, standing(store).failures) == (2, 2)
    lease.renew(10, well=True, detail="better")
    now = standing(store)
    assert (lease.failures, now.failures, now.error, now.detail) == (0, 0, None, "better")
    assert now.finished_at == time_.clock()


def test_each_failure_in_a_row_doubles_the_rest_up_to_five_minutes(new_leases: NewLeases, time_: Time) -> None:
    leases, rests = new_leases(), []
    for _ in range(12):
        lease = taken(leases)
        rests.append(lease.rest_after_failure(2))
        lease.finish(0, error="x")
    assert rests == [2, 4, 8, 16, 32, 64, 128, 256, *[LONGEST_REST] * 4]


def test_nobody_rests_for_who_was_never_there(new_leases: NewLeases) -> None:
    assert taken(new_leases()).rest(5.5) == 0


def test_who_follows_another_rests_for_as_long_as_that_one_would_have(new_leases: NewLeases, time_: Time) -> None:
    taken(new_leases()).finish(0)
    lease = taken(new_leases())
    assert lease.rest(5.5) == 5.5  # it has just come, and only the wall clock says how long ago that was
    time_.pass_(2)
    assert lease.rest(5.5) == 3.5


def test_who_has_seen_the_other_end_rests_the_less(new_leases: NewLeases, time_: Time) -> None:
    one, other = new_leases(), new_leases()
    taken(one).finish(0)
    other.look("t")
    time_.pass_(4)
    assert taken(other).rest(5.5) == 1.5
    other.look("t")
    time_.pass_(40)


def test_who_follows_one_that_died_rests_for_all_of_its_lease(new_leases: NewLeases, time_: Time) -> None:
    one, late, there = new_leases(), new_leases(), new_leases()
    taken(one, 100)
    there.look("t")
    time_.pass_(100)
    assert taken(late, 10).rest(5.5) == 100
    time_.pass_(10)
    there.look("t")
    assert taken(there).rest(5.5) == 10  # of the lease of 10 s that it saw last


def test_who_has_seen_a_dead_ones_lease_run_out_does_not_rest(new_leases: NewLeases, time_: Time) -> None:
    one, there = new_leases(), new_leases()
    taken(one, 100)
    there.look("t")
    time_.pass_(100)
    assert taken(there).rest(5.5) == 0


def test_a_clock_that_is_set_forward_ends_a_lease_and_the_rest_makes_up_for_it(
    new_leases: NewLeases, time_: Time
) -> None:
    one, other = new_leases(), new_leases()
    taken(one, 100)
    time_.jump = timedelta(hours=1)
    assert taken(other).rest(5.5) == 100


def test_a_clock_that_is_set_back_holds_nobody_up_for_ever(new_leases: NewLeases, time_: Time) -> None:
    one, other = new_leases(), new_leases()
    taken(one, 100)
    time_.jump = -timedelta(hours=10)
    assert other.look("t").holder == one.holder
    time_.pass_(LONGEST)
    lease = taken(other)
    lease.finish(300)
    time_.jump = -timedelta(days=10)
    assert other.look("t").wait > 86_400
    time_.pass_(LONGEST)
    taken(other)


def test_no_lease_is_longer_than_what_stands_unchanged_for_a_dead_clocks(new_leases: NewLeases) -> None:
    leases = new_leases()
    with pytest.raises(ValueError, match="longer"):
        leases.claim("t", leases.look("t"), LONGEST + 1)


def test_on_postgresql_the_servers_clock_counts_and_no_machines(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class WrongByYears(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "WrongByYears":
            return cls(2001, 1, 1, tzinfo=UTC)

    store = Store(postgresql_url)
    monkeypatch.setattr(statements, "datetime", WrongByYears)
    leases = Leases(store)
    taken(leases, 10)
    assert standing(store).now.year > 2001
    assert 0 < Leases(store).look("t").wait <= 10
    store.close()

"""The counts are kept from the feed, until none waits or the worker is to stop."""

import pytest

from receiver.store import counts
from receiver.store.store import Store
from receiver.worker import counting
from receiver.worker.counting import task
from receiver.worker.lease import Lease, Leases
from tests.worker.conftest import Time
from tests.worker.test_indexing import fill


@pytest.fixture
def lease(store: Store, time_: Time) -> Lease:
    leases = Leases(store, now=time_.now, clock=time_.clock)
    claimed = leases.claim(counting.NAME, leases.look(counting.NAME), 60.0)
    assert claimed is not None
    return claimed


def test_a_run_counts_all_that_waits_and_says_how_much(store: Store, lease: Lease) -> None:
    counter = task(store)
    assert counter.has_work is not None
    assert not counter.has_work()
    assert counter.run(lease, lambda _: False).detail == "all messages are counted"
    fill(store, 120)
    assert counter.has_work()
    assert counter.run(lease, lambda _: False).detail == "120 messages counted"
    assert not counter.has_work()


def test_it_ends_after_the_transaction_that_runs_when_it_is_told_to_and_goes_on_from_there(
    store: Store, lease: Lease
) -> None:
    fill(store, 120)
    assert task(store).run(lease, lambda _: True).detail == "50 messages counted"
    with store.reading() as connection:
        assert counts.is_behind(connection)
    assert task(store).run(lease, lambda _: False).detail == "70 messages counted"

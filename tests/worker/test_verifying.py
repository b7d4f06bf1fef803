"""The ledger is verified once a day: what is wrong is said until it is put right, and nothing worked out too often."""

import pytest
from sqlalchemy import update

from receiver.optout import verify as module
from receiver.store import tables
from receiver.store.store import Store
from receiver.worker import verifying
from receiver.worker.failure import described
from receiver.worker.lease import Lease, Leases
from receiver.worker.runner import Outage, TaskRunner
from receiver.worker.verifying import LedgerBroken, is_broken, task
from tests.intake.replies import reply
from tests.optout.test_verify import disarm
from tests.store.test_record import WINDOW
from tests.worker.conftest import Time, standing

HOUR = 3_600.0


@pytest.fixture
def lease(store: Store, time_: Time) -> Lease:
    leases = Leases(store, now=time_.now, clock=time_.clock)
    claimed = leases.claim(verifying.NAME, leases.look(verifying.NAME), 60.0)
    assert claimed is not None
    return claimed


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One more for each time that all of it was worked out."""
    times: list[int] = []
    of_end = module._wrong_end

    def counted(head: tuple[int, str], sequence: int, *given: object) -> object:
        times.append(sequence)
        return of_end(head, sequence, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_wrong_end", counted)
    return times


def go_on(_seconds: float) -> bool:
    return False


def test_once_a_day_all_of_it(store: Store, lease: Lease, time_: Time, verified: list[int]) -> None:
    store.record([reply("0000"), reply("0000", "+8613900000002")], [], WINDOW)
    verifying_it = task(store, now=time_.now)
    assert verifying_it.run(lease, go_on).detail == "2 events verified 0 hours ago"
    time_.pass_(5 * HOUR)
    assert verifying_it.run(lease, go_on).detail == "2 events verified 5 hours ago"
    assert verified == [2]
    time_.pass_(19 * HOUR)
    verifying_it.run(lease, go_on)
    assert verified == [2, 2]


def test_a_change_is_said_until_it_is_put_right(store: Store, time_: Time, lease: Lease, verified: list[int]) -> None:
    store.record([reply("0000"), reply("0000", "+8613900000002")], [], WINDOW)
    with store.writing() as connection:
        disarm(connection)
        connection.execute(update(tables.ledger).where(tables.ledger.c.sequence == 1).values(actor="nobody"))
    verifying_it = task(store, now=time_.now)
    for _ in range(3):
        with pytest.raises(LedgerBroken) as wrong:
            verifying_it.run(lease, go_on)
        assert described(wrong.value).startswith("LedgerBroken: event 1 was edited")
        time_.pass_(HOUR / 4)
    with store.writing() as connection:
        connection.execute(update(tables.ledger).where(tables.ledger.c.sequence == 1).values(actor="subscriber"))
    time_.pass_(HOUR)
    assert verifying_it.run(lease, go_on).detail == "2 events verified 0 hours ago"


def test_a_phone_that_was_taken_out_of_the_register_is_found_and_not_named(store: Store, lease: Lease) -> None:
    store.record([reply("0000")], [], WINDOW)
    with store.writing() as connection:
        connection.execute(tables.optouts.delete())
    with pytest.raises(LedgerBroken, match="disagrees with the ledger about 1 phones") as wrong:
        task(store).run(lease, go_on)
    assert "139" not in described(wrong.value)


def test_who_asks_how_tasks_stand_is_told(store: Store) -> None:
    store.record([reply("0000")], [], WINDOW)
    with store.writing() as connection:
        connection.execute(update(tables.ledger_head).values(hash="0" * 64))
    runner = TaskRunner(task(store), Leases(store), Outage(), lambda seconds: seconds > 0)
    runner.run()
    assert is_broken(standing(store, verifying.NAME))


def test_a_long_one_keeps_its_lease_and_ends_when_it_is_told_to(store: Store, lease: Lease, time_: Time) -> None:
    kept: list[float] = []

    class Slow(Lease):
        def renew(self, seconds: float, *, well: bool = False, detail: str | None = None) -> None:
            kept.append(seconds)

    lease.__class__ = Slow

    def slowly(_seconds: float) -> bool:
        time_.pass_(20)
        return False

    store.record([reply("0000")], [], WINDOW)
    task(store, now=time_.now).run(lease, slowly)
    assert kept == [60.0]
    assert task(store).run(lease, lambda _: True).detail == "broken off, since the worker ends"

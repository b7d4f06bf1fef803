"""The balance is asked for beside whoever looks: nobody waits, and one question is under way at most."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from receiver.gateway import Gateway, NotSent, Refusal
from receiver.gateway.simulator.gateway import Account, Fault, Kind, SimulatedGateway
from receiver.gateway.watch import FRESH, BalanceWatch

NOW = datetime(2026, 6, 3, 9, tzinfo=UTC)


@pytest.fixture
def gateway() -> Iterator[SimulatedGateway]:
    with SimulatedGateway([Account("demo", "demo123", balance=500)]) as started:
        yield started


class Watched:
    """A watch whose questions wait until the test asks them, at a time that it sets."""

    def __init__(self, url: str, password: str = "demo123") -> None:
        self.now = NOW
        self.waiting: list[Callable[[], None]] = []
        self.watch = BalanceWatch(
            lambda: Gateway(url, "demo", password, timeout=5), lambda: self.now, self.waiting.append
        )

    def ask(self) -> None:
        self.waiting.pop()()


def test_the_first_look_knows_nothing_and_the_next_what_was_told(gateway: SimulatedGateway) -> None:
    watched = Watched(gateway.url)
    assert watched.watch.look().asked_at is None
    assert watched.watch.look().balance is None
    assert len(watched.waiting) == 1, "one question, however many look"
    watched.ask()
    reading = watched.watch.look()
    assert reading.balance is not None
    assert (reading.balance.amount, reading.told_at, watched.waiting) == (500, NOW, [])
    watched.now += FRESH
    watched.watch.look()
    assert len(watched.waiting) == 1


def test_what_was_told_stays_beside_a_failure(gateway: SimulatedGateway) -> None:
    watched = Watched(gateway.url)
    watched.watch.look()
    watched.ask()
    gateway.faults = [Fault(Kind.ERROR_500)]
    watched.now += FRESH
    watched.watch.look()
    watched.ask()
    reading = watched.watch.look()
    assert reading.balance is not None
    assert (reading.told_at, reading.asked_at) == (NOW, NOW + FRESH)
    assert reading.failure is not None


@pytest.mark.parametrize(("url", "password", "kind"), [("", "wrong", Refusal), ("http://127.0.0.1:9/", "x", NotSent)])
def test_a_refusal_and_an_absence_are_told(
    url: str, password: str, kind: type[Exception], gateway: SimulatedGateway
) -> None:
    watched = Watched(url or gateway.url, password)
    watched.watch.look()
    watched.ask()
    assert isinstance(watched.watch.look().failure, kind)
    watched.now += timedelta(seconds=59)
    watched.watch.look()
    assert watched.waiting == []


def test_a_fault_of_ours_leaves_it_able_to_ask_again() -> None:
    def broken() -> Gateway:
        raise RuntimeError("ours")

    waiting: list[Callable[[], None]] = []
    watch = BalanceWatch(broken, lambda: NOW, waiting.append)
    watch.look()
    with pytest.raises(RuntimeError):
        waiting.pop()()
    assert (watch.look().asked_at, watch.look().balance) == (NOW, None)


def test_it_asks_in_a_thread_of_its_own(gateway: SimulatedGateway) -> None:
    asked = threading.Event()

    def made() -> Gateway:
        assert threading.current_thread() is not threading.main_thread()
        asked.set()
        return Gateway(gateway.url, "demo", "demo123", timeout=5)

    BalanceWatch(made).look()
    assert asked.wait(30)

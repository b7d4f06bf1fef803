"""Several processes on one database: a batch is one's alone, and a stop is before a claim or after it."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

import pytest

from receiver.gateway.client import transport
from receiver.gateway.sending import Dispatcher, Sending, SendRequest, recipients
from receiver.gateway.simulator.gateway import SimulatedGateway
from receiver.optout import guard
from receiver.optout.verify import verify
from receiver.store.store import Store
from tests.gateway.sending.conftest import Clock
from tests.gateway.sending.network import Network
from tests.gateway.sending.test_dispatch import ACCOUNT, TEXT, counted, gateway_at, in_state, mobiles, stop
from tests.intake.replies import verified_ledger

PEOPLE = 300
BATCH = 3


@pytest.fixture(autouse=True)
def _small_batches() -> Iterator[None]:
    with patch.object(recipients, "LARGEST_BATCH", BATCH):
        yield


def test_two_dispatchers_at_once_text_nobody_twice(store: Store, database_url: str) -> None:
    send_id = Sending(store).enqueue(SendRequest(mobiles(PEOPLE), TEXT), "li.na").send_id
    meet = threading.Barrier(2)

    with Network() as network:

        def work(_number: int) -> int:
            own = Store(database_url)
            sending = Dispatcher(own, gateway_at(network.url), region="CN")
            meet.wait()
            turns = 0
            while counted(own, send_id).get("queued"):
                turns += sending.turn() is not None
            own.close()
            return turns

        with ThreadPoolExecutor(2) as threads:
            handled = list(threads.map(work, range(2)))
    assert sum(handled) == PEOPLE / BATCH
    assert min(handled) > 0, "one did it all: they did not meet"
    assert set(Counter(network.texted).values()) == {1}
    assert in_state(store, "accepted") == {f"+86{phone}" for phone in network.texted}
    assert counted(store, send_id).keys() == {"accepted", "refused"}


def test_a_stop_that_comes_amid_a_claim_is_not_answered_before_the_claim_is_in_force(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_id = Sending(store).enqueue(SendRequest(mobiles(1), TEXT), "li.na").send_id
    answered, said = threading.Event(), []
    stopping = Store(database_url)

    def say_stop() -> None:
        stop(stopping, *mobiles(1))
        answered.set()

    stopper = threading.Thread(target=say_stop)
    asked = guard.asked

    def asked_and_stopped(*given: Any) -> Any:
        verdict = asked(*given)
        stopper.start()
        # Time enough for a stop that nothing holds off; one that is held off never comes while this is open.
        said.append(answered.wait(0.5))
        return verdict

    with Network() as network:
        monkeypatch.setattr(guard, "asked", asked_and_stopped)
        Dispatcher(store, gateway_at(network.url), region="CN").turn(send_id)
        stopper.join()
        assert network.texted == mobiles(1)
    assert said == [False]
    assert answered.is_set()
    stopping.close()


def test_no_batch_that_is_claimed_after_a_stop_was_recorded_has_the_phone(store: Store, database_url: str) -> None:
    phones = mobiles(PEOPLE)
    send_id = Sending(store).enqueue(SendRequest(phones, TEXT), "li.na").send_id
    recorded: dict[str, float] = {}
    texted: list[tuple[float, str]] = []
    begun = threading.Event()

    def say_stop() -> None:
        own = Store(database_url)
        begun.wait()
        for phone in random.sample(phones, PEOPLE // 3):
            stop(own, phone)
            recorded[phone] = time.monotonic()
        own.close()

    def work(_number: int) -> None:
        own = Store(database_url)
        with Network() as network:
            sending = Dispatcher(own, gateway_at(network.url), region="CN")
            while counted(own, send_id).get("queued"):
                before, began = len(network.texted), time.monotonic()
                sending.turn()
                texted.extend((began, phone) for phone in network.texted[before:])
                begun.set()
        own.close()

    stopping = threading.Thread(target=say_stop)
    stopping.start()
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(work, range(2)))
    begun.set()
    stopping.join()
    assert [phone for began, phone in texted if recorded.get(phone, began) < began] == []
    counts = counted(store, send_id)
    assert counts["blocked"] > 0, "no stop came before its claim"
    assert any(phone in recorded for _, phone in texted), "every stop came before its claim"
    assert sum(counts.values()) == PEOPLE
    events = [event for event in verified_ledger(store) if event.type == "send_blocked"]
    assert {event.phone for event in events} == in_state(store, "blocked")
    assert len(events) == counts["blocked"]
    assert verify(store).ok


def test_a_stop_that_is_answered_while_it_is_found_out_whether_post_is_taken_is_seen(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    phones = mobiles(BATCH)
    send_id = Sending(store).enqueue(SendRequest(phones, TEXT), "li.na").send_id
    exchange = transport.exchange

    def stopped_amid(site: Any, method: str, *given: Any) -> Any:
        answer = exchange(site, method, *given)
        if method == "post":
            stop(store, phones[0])
        return answer

    for post in ("refused", "ignored"):
        with SimulatedGateway([ACCOUNT], post=post) as gateway, monkeypatch.context() as patch:
            patch.setattr("receiver.gateway.client.gateway.exchange", stopped_amid)
            assert Dispatcher(store, gateway_at(gateway.url, method="auto"), region="CN").run_send(send_id) is None
            assert {sent.phone for sent in gateway.sent} == set(phones[1:])
        assert counted(store, send_id) == {"accepted": BATCH - 1, "blocked": 1}
        # And again, with others, at a gateway that takes a form but does not read it.
        phones = mobiles(BATCH, 50)
        send_id = Sending(store).enqueue(SendRequest(phones, TEXT), "li.na").send_id


def test_a_stop_that_is_answered_while_the_connection_is_made_is_seen(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    phones = mobiles(BATCH)
    send_id = Sending(store, clock=clock).enqueue(SendRequest(phones, TEXT), "li.na").send_id
    connected = transport.connected

    def slowly(*given: Any) -> Any:
        connection = connected(*given)
        stop(store, phones[0])
        clock.pass_(seconds=6)
        return connection

    with Network() as network:
        sending = Dispatcher(store, gateway_at(network.url), region="CN", clock=clock, sleep=lambda _seconds: None)
        monkeypatch.setattr("receiver.gateway.client.gateway.connected", slowly)
        turn = sending.turn(send_id)
        assert turn is not None
        assert turn.error is None
        assert sorted(network.texted) == phones[1:]
    assert counted(store, send_id) == {"accepted": BATCH - 1, "blocked": 1}

"""Many stops at once, a question that races one, a lift that meets one, kills in between: one order, and it is kept."""

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import insert

from receiver.gateway.simulator.connection import Connection
from receiver.gateway.simulator.load import Load
from receiver.gateway.simulator.target import Target
from receiver.optout import guard
from receiver.optout.register import NotOptedOut, Register
from receiver.optout.verify import verify
from receiver.store import tables
from receiver.store.store import Store
from receiver.vocabulary import new_id
from tests.intake.replies import reply, rows, verified_ledger
from tests.serving import Server
from tests.store.test_record import WINDOW, subscribe
from tests.vocabulary.test_identity import ONE_PERSON

pytestmark = pytest.mark.slow  # the whole file: it is begun with

PHONE = "+8613900001234"  # who ONE_PERSON is
CONNECTIONS = 32
PUSHES = 1_000
KILLS = 8

# As the gateway writes them: escaped, and the plus that stands for itself.
ON_THE_WIRE = [*(quote(written) for written in ONE_PERSON), "+8613900001234", "%2b8613900001234"]


@pytest.fixture
def server(store: Store, database_url: str, tmp_path: Path) -> Iterator[Server]:
    """On PostgreSQL two processes answer."""
    env = {} if database_url.startswith("sqlite") else {"RECEIVER_CALLBACK_PROCESSES": "2"}
    with Server(database_url, tmp_path, env, migrate=False) as started:
        yield started


def push(server: Server, senders: Sequence[str]) -> None:
    """0000 from each of ``senders``, over CONNECTIONS connections at once; each is answered 0."""
    target = Target.of(server.url)
    start = threading.Barrier(CONNECTIONS)

    def send(number: int) -> set[str]:
        start.wait()
        with Connection(target, timeout=60) as connection:
            return {connection.ask(stop(sender)).said for sender in senders[number::CONNECTIONS]}

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        assert set().union(*threads.map(send, range(CONNECTIONS))) == {"0"}


def stop(sender: str) -> bytes:
    return f"GET /recv.asp?src={sender}&dst=10690001&msg=0000 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def in_force(events: Sequence[Any]) -> dict[str, tuple[Any, ...]]:
    """The register that the ledger says, worked out in plain Python."""
    register: dict[str, tuple[Any, ...]] = {}
    for event in events:
        if event.type == "opted_out":
            assert event.phone not in register, "opted out twice with no lift between"
            register[event.phone] = (event.at, event.detail["source"], event.actor, event.message_id)
        elif event.type == "lifted":
            del register[event.phone]
    return register


def stored_register(store: Store) -> dict[str, tuple[Any, ...]]:
    return {row.phone: (row.since, row.source, row.actor, row.message_id) for row in rows(store, tables.optouts)}


def test_a_thousand_stops_at_once_of_one_phone_in_every_written_form(store: Store, server: Server) -> None:
    subscribe(store, PHONE, "news", "weather")
    push(server, [ON_THE_WIRE[number % len(ON_THE_WIRE)] for number in range(PUSHES)])

    events = verified_ledger(store)
    assert Counter(event.type for event in events) == {"opted_out": 1, "repeated": PUSHES - 1, "service_cancelled": 2}
    assert {event.phone for event in events} == {PHONE}
    assert stored_register(store) == in_force(events)
    messages = {row.id: row for row in rows(store, tables.messages)}
    assert len(messages) == PUSHES
    assert {event.message_id for event in events} == messages.keys()
    assert len({row.src_wire for row in messages.values()}) >= len(ONE_PERSON)
    assert {row.cancelled_by for row in rows(store, tables.subscriptions)} == {events[0].message_id}
    assert [stopped.written for stopped in guard.blocked(store, ONE_PERSON).blocked] == ONE_PERSON
    assert verify(store).ok


def test_a_thousand_stops_at_once_of_different_phones(store: Store, server: Server) -> None:
    phones = [f"154{number:08}" for number in range(PUSHES)]
    for_all(store, [f"+86{phone}" for phone in phones])
    forms = ("{}", "86{}", "%2B86{}", "+86{}", "0086{}", "%20{}")
    push(server, [forms[number % len(forms)].format(phone) for number, phone in enumerate(phones)])

    events = verified_ledger(store)
    assert Counter(event.type for event in events) == {"opted_out": PUSHES, "service_cancelled": PUSHES}
    assert {event.phone for event in events} == {f"+86{phone}" for phone in phones}
    assert stored_register(store) == in_force(events)
    stops = {event.phone: event.message_id for event in events if event.type == "opted_out"}
    assert {row.phone: row.cancelled_by for row in rows(store, tables.subscriptions)} == stops
    assert verify(store).ok


def for_all(store: Store, phones: Sequence[str]) -> None:
    """A subscription of news for each."""
    subscribe(store, "+8613900009999", "news")
    since = reply().received_at
    with store.writing() as connection:
        connection.execute(tables.subscriptions.delete())
        connection.execute(
            insert(tables.subscriptions),
            [{"id": new_id(), "phone": phone, "service": "news", "since": since} for phone in phones],
        )


@cache
def _opened(database_url: str) -> Store:
    return Store(database_url)


def ask(database_url: str, phone: str) -> bool:
    """Whether another process's guard allows ``phone``."""
    return bool(guard.blocked(_opened(database_url), [phone]).allowed)


def test_no_question_asked_after_the_answer_0_says_allowed(store: Store, server: Server, database_url: str) -> None:
    phones = [f"154{number:08}" for number in range(200)]
    answered: dict[str, float] = {}
    allowed: list[tuple[float, list[str]]] = []
    done = threading.Event()

    def ask_all_the_time() -> None:
        own = Store(database_url)
        while not done.is_set():
            began = time.monotonic()
            verdict = guard.blocked(own, phones)
            allowed.append((began, [written for written, _ in verdict.allowed]))
        own.close()

    def race(some: Sequence[str], processes: ProcessPoolExecutor) -> None:
        with Connection(Target.of(server.url), timeout=60) as connection:
            for phone in some:
                assert processes.submit(ask, database_url, phone).result()
                assert connection.ask(stop(phone)).said == "0"
                answered[phone] = time.monotonic()
                assert not processes.submit(ask, database_url, f"+86 {phone}").result(), phone

    asking = threading.Thread(target=ask_all_the_time)
    with ProcessPoolExecutor(2, get_context("spawn")) as processes, ThreadPoolExecutor(8) as threads:
        asking.start()
        try:
            for raced in [threads.submit(race, phones[number::8], processes) for number in range(8)]:
                raced.result()
        finally:
            done.set()
            asking.join()
    assert answered.keys() == set(phones)
    assert len(allowed[0][1]) > len(allowed[-1][1]), "no question was asked between the stops"
    late = [phone for began, written in allowed for phone in written if answered[phone] < began]
    assert late == []


def test_a_lift_that_meets_a_stop_has_an_order_that_register_ledger_and_guard_share(
    store: Store, database_url: str
) -> None:
    lifting, stopping = Store(database_url), Store(database_url)
    meet = threading.Barrier(2)
    last: Counter[str] = Counter()

    def lift() -> None:
        meet.wait()
        time.sleep(random.uniform(0, 0.004))
        with contextlib.suppress(NotOptedOut):
            Register(lifting).lift(PHONE, reason="asked us to", actor="li.na")

    def say_stop() -> None:
        said = reply("0000", PHONE)
        meet.wait()
        time.sleep(random.uniform(0, 0.004))
        stopping.record([said], [], WINDOW)

    store.record([reply("0000", PHONE)], [], WINDOW)
    with ThreadPoolExecutor(2) as threads:
        for _ in range(60):
            for met in [threads.submit(lift), threads.submit(say_stop)]:
                met.result()
            events = rows(store, tables.ledger)
            last[events[-1].type] += 1
            assert stored_register(store) == in_force(events)
            is_blocked = events[-1].type != "lifted"
            assert [bool(guard.blocked(each, [PHONE]).blocked) for each in (store, lifting)] == [is_blocked] * 2
            store.record([reply("0000", PHONE)], [], WINDOW)
    lifting.close()
    stopping.close()
    assert last["lifted"] > 0
    assert last["opted_out"] + last["repeated"] > 0
    verified_ledger(store)
    assert verify(store).ok


def test_register_and_ledger_agree_after_kills_under_load(database_url: str, tmp_path: Path) -> None:
    with Server(database_url, tmp_path) as server:
        store = Store(database_url)
        load = Load(Target.of(server.url), connections=16, unsubscribes=0.5)
        for_all(store, [load.script.phone(number) for number in range(4_000)])
        load.start()
        try:
            for _ in range(KILLS):
                time.sleep(random.uniform(0.05, 0.3))
                server.kill9()
                server.start()
            time.sleep(0.3)
        finally:
            load.stop()
        account, audit = load.account, load.audit(store)
        assert account.unsubscribes_acknowledged > KILLS
        assert account.unanswered > 0, "no kill met a reply on its way: the moments were not random enough"
        assert audit.ok, audit
        assert audit.in_force == account.unsubscribes_acknowledged

        events = verified_ledger(store)
        assert verify(store).ok
        assert stored_register(store) == in_force(events)
        said = {row.id: row.src for row in rows(store, tables.messages) if row.kind == "unsubscribe"}
        stops = [event for event in events if event.type in ("opted_out", "repeated")]
        assert {event.message_id: event.phone for event in stops} == said
        assert len(stops) == len(said)

        cancelled = [(event.phone, event.message_id) for event in events if event.type == "service_cancelled"]
        ended = {row.phone: row.cancelled_by for row in rows(store, tables.subscriptions) if row.cancelled_at}
        assert ended == dict(cancelled)
        assert len(cancelled) == len(ended) > 0
        left = {row.phone for row in rows(store, tables.subscriptions) if row.cancelled_at is None}
        assert not left & stored_register(store).keys()
        store.close()

"""Subscriptions: who has which service, and that nobody who is opted out gets or keeps one."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import insert, text

from receiver.store import engine, optouts, services, subscriptions, tables
from receiver.store.errors import Conflict, Refused
from receiver.store.store import Store
from receiver.store.subscriptions import Subscribed
from receiver.vocabulary import new_id
from tests.intake.replies import quarantined, reply, rows, verified_ledger
from tests.store import test_record
from tests.store.test_record import WINDOW

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PHONE, OTHER = "+8613900007001", "+8613900007002"


@pytest.fixture
def store(store: Store) -> Store:
    with store.writing() as connection:
        services.add(connection, "news", "News", AT)
        services.add(connection, "weather", "Weather", AT)
    return store


def subscribe(store: Store, phone: str, service: str) -> Subscribed:
    with store.writing() as connection:
        return subscriptions.subscribe(connection, phone, service, AT)


def cancel(store: Store, phone: str, service: str) -> bool:
    with store.writing() as connection:
        when = AT + timedelta(days=1)
        return subscriptions.cancel(connection, phone, service, when, reason="asked us to", actor="li.na")


def test_a_subscription_begins_once_and_can_begin_again_after_its_end(store: Store) -> None:
    assert subscribe(store, PHONE, "news") is Subscribed.NEW
    assert subscribe(store, PHONE, "news") is Subscribed.ALREADY
    assert subscribe(store, PHONE, "weather") is Subscribed.NEW
    assert cancel(store, PHONE, "news")
    assert not cancel(store, PHONE, "news")
    assert subscribe(store, PHONE, "news") is Subscribed.NEW
    found = [(row.service, row.since, row.cancelled_at, row.cancelled_by) for row in rows(store, tables.subscriptions)]
    assert found == [
        ("news", AT, AT + timedelta(days=1), None),
        ("weather", AT, None, None),
        ("news", AT, None, None),
    ]
    assert [(event.type, event.phone, event.at, event.actor, event.detail) for event in verified_ledger(store)] == [
        ("service_cancelled", PHONE, AT + timedelta(days=1), "li.na", {"service": "news", "reason": "asked us to"})
    ]
    assert rows(store, tables.optouts) == []


def test_nobody_gets_a_service_that_is_none_or_while_opted_out(store: Store) -> None:
    assert subscribe(store, PHONE, "sports") is Subscribed.NO_SERVICE
    store.record([reply("0000", PHONE)], [], WINDOW)
    assert subscribe(store, PHONE, "news") is Subscribed.OPTED_OUT
    assert subscribe(store, OTHER, "news") is Subscribed.NEW
    with store.writing() as connection:
        assert optouts.lift(connection, PHONE, at=AT, reason="asked us to", actor="li.na")
    assert subscribe(store, PHONE, "news") is Subscribed.NEW


@pytest.mark.parametrize("in_quarantine", [False, True])
def test_a_stop_ends_all_that_the_phone_has_with_an_event_for_each(store: Store, in_quarantine: bool) -> None:
    for phone, service in ((PHONE, "weather"), (PHONE, "news"), (OTHER, "news")):
        subscribe(store, phone, service)
    said, kept = reply("0000", PHONE), quarantined(unsubscribes=PHONE)
    store.record([] if in_quarantine else [said], [kept] if in_quarantine else [], WINDOW)
    ended = {(row.phone, row.service): row.cancelled_by for row in rows(store, tables.subscriptions)}
    cause = kept.id if in_quarantine else said.id
    assert ended == {(PHONE, "weather"): cause, (PHONE, "news"): cause, (OTHER, "news"): None}
    events = [(event.type, event.detail.get("service")) for event in verified_ledger(store)]
    assert events == [("opted_out", None), ("service_cancelled", "news"), ("service_cancelled", "weather")]


def test_what_ended_before_a_stop_is_left_as_it_was(store: Store) -> None:
    subscribe(store, PHONE, "news")
    cancel(store, PHONE, "news")
    store.record([reply("0000", PHONE)], [], WINDOW)
    assert [(row.cancelled_at, row.cancelled_by) for row in rows(store, tables.subscriptions)] == [
        (AT + timedelta(days=1), None)
    ]
    assert [(event.type, event.actor) for event in verified_ledger(store)] == [
        ("service_cancelled", "li.na"),
        ("opted_out", "subscriber"),
    ]


def test_the_database_refuses_a_second_subscription_of_the_same(store: Store) -> None:
    subscribe(store, PHONE, "news")
    row = {"id": new_id(), "phone": PHONE, "service": "news", "since": AT}
    with pytest.raises(Refused), store.writing() as connection:
        connection.execute(insert(tables.subscriptions), row)


def test_a_subscription_that_meets_a_stop_comes_before_it_or_not_at_all(store: Store, database_url: str) -> None:
    own = Store(database_url)
    meet = Barrier(2)
    became = set()

    def wish(phone: str) -> Subscribed:
        meet.wait()
        time.sleep(random.uniform(0, 0.003))
        return subscribe(own, phone, "news")

    def say_stop(phone: str) -> None:
        said = reply("0000", phone)
        meet.wait()
        time.sleep(random.uniform(0, 0.003))
        store.record([said], [], WINDOW)

    with ThreadPoolExecutor(2) as threads:
        for number in range(60):
            phone = f"+86154{number:08}"
            wished, stopped = threads.submit(wish, phone), threads.submit(say_stop, phone)
            stopped.result()
            became.add(wished.result())
    assert became == {Subscribed.NEW, Subscribed.OPTED_OUT}
    own.close()
    assert [row for row in rows(store, tables.subscriptions) if row.cancelled_at is None] == []
    events = verified_ledger(store)
    assert sum(event.type == "service_cancelled" for event in events) == len(rows(store, tables.subscriptions))


def test_who_waits_for_an_import_to_subscribe_keeps_no_stop_waiting(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # SQLite has one writer at a time: there nobody can subscribe amid an import's transaction.
    monkeypatch.setattr(engine, "LOCK_TIMEOUT", 2)
    store = Store(postgresql_url)
    with store.writing() as connection:
        services.add(connection, "news", "News", AT)
    with ThreadPoolExecutor(1) as threads:
        with store.writing() as importing:
            importing.execute(
                insert(tables.subscriptions), {"id": new_id(), "phone": PHONE, "service": "news", "since": AT}
            )
            wished = threads.submit(subscribe, store, PHONE, "news")
            _wait_until_one_waits(store)
            with store.writing() as connection:
                connection.execute(text("SELECT sequence FROM ledger_head FOR UPDATE NOWAIT"))
            with pytest.raises(Conflict, match="import"):
                wished.result()
        assert threads.submit(subscribe, store, PHONE, "news").result() is Subscribed.ALREADY
    store.close()


def _wait_until_one_waits(store: Store) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + 30
    while True:
        with store.reading() as connection:
            if connection.scalar(text(waiting)):
                return
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_stop_while_one_waits_to_subscribe_leaves_no_subscription(postgresql_url: str) -> None:
    store = Store(postgresql_url)
    with store.writing() as connection:
        services.add(connection, "news", "News", AT)
    with ThreadPoolExecutor(1) as threads:
        with store.writing() as stopping:
            optouts.opt_out(stopping, [optouts.Stop(PHONE, AT)])
            wished = threads.submit(subscribe, store, PHONE, "news")
            _wait_until_one_waits(store)  # for the register, with its row inserted
        assert wished.result() is Subscribed.OPTED_OUT
    assert rows(store, tables.subscriptions) == []
    store.close()


def test_what_was_given_to_the_opted_out_by_another_way_is_ended_with_its_events(store: Store) -> None:
    stop = reply("0000", PHONE)
    store.record([stop], [], WINDOW)
    test_record.subscribe(store, PHONE, "weather", "news")
    test_record.subscribe(store, OTHER, "news")
    with store.writing() as connection:
        assert subscriptions.count_active(connection) == 3
        assert subscriptions.end_of_opted_out(connection, AT, after=1) == 0
        assert subscriptions.end_of_opted_out(connection, AT, after=0) == 2
        assert subscriptions.end_of_opted_out(connection, AT, after=0) == 0
        assert subscriptions.count_active(connection) == 1
    events = verified_ledger(store)[1:]
    assert [(event.type, event.phone, event.actor, event.message_id, event.detail) for event in events] == [
        ("service_cancelled", PHONE, "system", stop.id, {"service": "news"}),
        ("service_cancelled", PHONE, "system", stop.id, {"service": "weather"}),
    ]
    ended = {row.cancelled_by for row in rows(store, tables.subscriptions) if row.cancelled_at == AT}
    assert ended == {stop.id}


def test_subscriptions_are_listed_the_newest_first(store: Store) -> None:
    for phone, service in ((PHONE, "news"), (OTHER, "news"), (OTHER, "weather")):
        subscribe(store, phone, service)
    cancel(store, OTHER, "news")
    newest = [row.id for row in rows(store, tables.subscriptions)][::-1]
    with store.reading() as connection:
        everything = subscriptions.page(connection, active=False, limit=10)
        assert [row.id for row in everything] == newest
        assert [row.id for row in subscriptions.page(connection, limit=10)] == [newest[0], newest[2]]
        assert [row.id for row in subscriptions.page(connection, active=False, limit=2)] == newest[:2]
        after = subscriptions.page(connection, active=False, after=newest[1], limit=2)
        assert [row.id for row in after] == newest[2:]
        of_news = subscriptions.page(connection, service="news", limit=10)
        assert [row.phone for row in of_news] == [PHONE]
        assert [row.service for row in subscriptions.of_phone(connection, OTHER)] == ["weather", "news"]
        assert subscriptions.of_phone(connection, "+8613900009999") == []

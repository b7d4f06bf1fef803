"""Services and their numbers, and that a reply is filed under its service the moment it is stored."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from receiver.store import services, tables
from receiver.store.errors import Refused
from receiver.store.services import Filing
from receiver.store.store import Store
from tests.intake.replies import reply, rows
from tests.serving import Server
from tests.store.test_record import WINDOW, subscribe

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PHONE = "+8613900007001"


def add(store: Store, code: str, exact: list[str], prefixes: list[str]) -> None:
    with store.writing() as connection:
        services.add(connection, code, code.title(), AT)
        services.set_numbers(connection, code, exact, prefixes)


NUMBERS = [
    # service, its numbers, its prefixes
    ("all", [], ["1069"]),
    ("weather", ["10690001"], ["106900"]),
    ("news", ["10690002", "95588"], ["10690001", "8"]),
    ("votes", [], ["106900019"]),
]
FILED = [
    # where a reply goes to, its service, why
    ("10690001", "weather", "the exact number comes before a prefix, however long"),
    ("106900010", "news", "the longest prefix"),
    ("1069000191", "votes", "the longest prefix of four"),
    ("106900019", "votes", "a prefix is itself a number of it"),
    ("10690002", "news", "the exact number"),
    ("106900021", "weather", "what begins with an exact number is another number"),
    ("10691", "all", "the shortest prefix"),
    ("1069", "all", "a prefix alone"),
    ("106", None, "shorter than every prefix"),
    ("95588", "news", "the exact number"),
    ("955880", None, "no prefix"),
    ("5588", None, "never by trailing digits"),
    ("", None, "nowhere"),
]


def test_a_number_is_filed_by_the_exact_number_then_by_the_longest_prefix(store: Store) -> None:
    for service in NUMBERS:
        add(store, *service)
    with store.reading() as connection:
        filing = Filing.load(connection)
    assert {dst: filing.service_of(dst) for dst, _, _ in FILED} == {dst: service for dst, service, _ in FILED}


def test_every_reply_is_stored_with_its_service(store: Store) -> None:
    for service in NUMBERS:
        add(store, *service)
    replies = [reply(f"hello {dst}", dst=dst) for dst, _, _ in FILED]
    store.record([*replies, reply("0000", PHONE, dst="10690001")], [], WINDOW)
    stored = {row.dst: row.service for row in rows(store, tables.messages) if row.kind == "reply"}
    assert stored == {dst: service for dst, service, _ in FILED}
    assert [row.service for row in rows(store, tables.messages) if row.kind == "unsubscribe"] == ["weather"]


def test_without_services_a_reply_has_none(store: Store) -> None:
    store.record([reply(dst="10690001")], [], WINDOW)
    assert [row.service for row in rows(store, tables.messages)] == [None]


def test_new_numbers_count_within_seconds_and_leave_what_is_stored(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.record([reply("before", dst="10690001")], [], WINDOW)
    add(store, "weather", ["10690001"], [])
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 3)
    store.record([reply("after", dst="10690001")], [], WINDOW)
    add(store, "news", ["10690002"], [])
    add(store, "weather", [], ["10691"])  # in place of those it had
    monkeypatch.setattr(time, "monotonic", lambda: now + 6)
    store.record([reply("later", dst="10690001"), reply("other", dst="106910")], [], WINDOW)
    found = {row.text: row.service for row in rows(store, tables.messages)}
    assert found == {"before": None, "after": "weather", "later": None, "other": "weather"}


def test_a_service_counts_over_http_within_a_few_seconds(database_url: str, tmp_path: Path) -> None:
    store = Store(database_url)
    with Server(database_url, tmp_path) as server:
        assert server.get("/recv.asp?src=13900007001&dst=10690001&msg=before") == b"0"
        add(store, "weather", [], ["1069"])
        began, number, filed = time.monotonic(), 0, False
        while not filed and time.monotonic() - began < 10:
            number += 1
            assert server.get(f"/recv.asp?src=13900007001&dst=10690001&msg=after{number}") == b"0"
            filed = rows(store, tables.messages)[-1].service == "weather"
            time.sleep(0.1)
        took = time.monotonic() - began
    first, *_, last = rows(store, tables.messages)
    assert (first.service, last.service, last.text) == (None, "weather", f"after{number}")
    assert took < 4
    store.close()


def test_a_number_belongs_to_one_service(store: Store) -> None:
    add(store, "weather", ["10690001"], ["10690"])
    for exact, prefixes in ((["10690001"], []), ([], ["10690"])):
        with pytest.raises(Refused):
            add(store, "news", exact, prefixes)
    add(store, "news", ["10690"], ["10690001"])  # as a number and as a prefix it may belong to two
    with store.reading() as connection:
        assert services.codes(connection) == {"news", "weather"}
        assert [(row.number, row.is_prefix) for row in services.numbers(connection, ["weather"])] == [
            ("10690", True),
            ("10690001", False),
        ]
        assert len(services.numbers(connection, ["weather", "news"])) == 4


def test_adding_a_service_again_renames_it(store: Store) -> None:
    with store.writing() as connection:
        services.add(connection, "weather", "Weather", AT)
        services.set_numbers(connection, "weather", ["1", "1"], [])
        services.add(connection, "weather", "天气预报", AT + timedelta(days=1))
    assert [(row.code, row.name, row.created_at) for row in rows(store, tables.services)] == [
        ("weather", "天气预报", AT)
    ]
    assert [row.number for row in rows(store, tables.service_numbers)] == ["1"]


def test_services_are_listed_by_code_with_those_who_have_them_now(store: Store) -> None:
    subscribe(store, PHONE, "b", "c")
    subscribe(store, "+8613900007002", "b")
    store.record([reply("0000", "+8613900007002")], [], WINDOW)
    add(store, "a", [], [])
    with store.reading() as connection:
        everything = services.page(connection, limit=10)
        assert [(row.code, row.subscribers) for row in everything] == [("a", 0), ("b", 1), ("c", 1)]
        assert [row.code for row in services.page(connection, limit=2)] == ["a", "b"]
        assert [row.code for row in services.page(connection, after="b", limit=2)] == ["c"]


def test_a_service_that_somebody_had_stays(store: Store) -> None:
    add(store, "weather", ["1"], ["2"])
    add(store, "news", ["3"], [])
    subscribe(store, PHONE, "news")
    store.record([reply("0000", PHONE)], [], WINDOW)
    with store.writing() as connection:
        assert services.remove(connection, "weather")
        assert not services.remove(connection, "weather")
    with pytest.raises(Refused), store.writing() as connection:
        services.remove(connection, "news")
    assert [row.code for row in rows(store, tables.services)] == ["news"]
    assert [row.number for row in rows(store, tables.service_numbers)] == ["3"]

"""The live tail misses nothing: not what commits late, not over a restart, and it ends with its key."""

import dataclasses
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from receiver.access import Scope
from receiver.store import feed
from receiver.store.record import record
from tests.admin.client import Api
from tests.admin.conftest import Admin
from tests.intake.replies import reply

WINDOW = timedelta(0)


class Watching:
    """A program that watches; ``events`` are what it was told, ``last`` the id that it goes on from."""

    def __init__(self, api: Api, last: str | None = None, **query: Any) -> None:
        self.events: list[dict[str, Any]] = []
        self.last = last
        self._api, self._query = api, query
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        headers = {"Last-Event-ID": self.last} if self.last else {}
        try:
            with self._api.open("GET", "/messages/stream", query=self._query, headers=headers, timeout=60) as response:
                assert response.status == 200, response.read()
                for event in _events(response):
                    if "data" in event:
                        self.events.append(json.loads(event["data"]))
                    self.last = event.get("id", self.last)
        except OSError:
            pass
        finally:
            self.ended.set()

    def has(self, *texts: str) -> bool:
        return {*texts} <= {event["text"] for event in self.events}


def _events(response: Any) -> Iterator[dict[str, str]]:
    event: dict[str, str] = {}
    while line := response.readline():
        said = line.decode().rstrip("\n")
        if not said and event:
            yield event
            event = {}
        name, colon, value = said.partition(": ")
        if name and colon:
            event[name] = value


def eventually(true: Any) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def put(admin: Admin, *texts: str, dst: str = "1069") -> None:
    admin.store.record([reply(text, dst=dst) for text in texts], [], WINDOW)


def opened(admin: Admin, api: Api, **query: Any) -> Watching:
    """A stream that has begun: what is stored from now on is told."""
    before = len(admin.rows("audit", action="messages.streamed"))
    watching = Watching(api, **query)
    eventually(lambda: len(admin.rows("audit", action="messages.streamed")) > before)
    time.sleep(0.3)
    return watching


def test_what_comes_in_is_told_and_what_was_there_is_not(admin: Admin) -> None:
    put(admin, "before")
    watching = opened(admin, admin.api(Scope.MESSAGES_READ))
    put(admin, "一", "二")
    put(admin, "三")
    eventually(lambda: watching.has("一", "二", "三"))
    assert not watching.has("before")
    assert watching.events[0].keys() >= {"id", "src", "dst", "kind", "received_at"}


def test_filters_choose_and_since_begins_earlier(admin: Admin) -> None:
    now = datetime.now(UTC)
    put(admin, "earlier", dst="7777")
    api = admin.api(Scope.MESSAGES_READ)
    watching = opened(admin, api, dst="7777", since=(now - timedelta(minutes=1)).isoformat())
    put(admin, "other", dst="8888")
    put(admin, "later", dst="7777")
    eventually(lambda: watching.has("earlier", "later"))
    assert {event["dst"] for event in watching.events} == {"7777"}


def test_who_comes_again_is_told_all_that_came_meanwhile_once(fresh_admin: Admin) -> None:
    api = fresh_admin.api(Scope.MESSAGES_READ)
    watching = opened(fresh_admin, api)
    put(fresh_admin, *[f"a{number}" for number in range(10)])
    eventually(lambda: watching.has("a9"))
    fresh_admin.server.kill9()
    assert watching.ended.wait(30)
    put(fresh_admin, *[f"b{number}" for number in range(10)])
    fresh_admin.server.start()
    again = Watching(api, watching.last)
    put(fresh_admin, "c")
    eventually(lambda: again.has("c"))
    assert [event["text"] for event in again.events] == [*[f"b{number}" for number in range(10)], "c"]


def test_what_is_committed_late_is_not_missed(admin: Admin) -> None:
    with admin.store.reading() as connection:
        if connection.dialect.name == "sqlite":
            return  # there is one writer: nothing commits late
    watching = opened(admin, admin.api(Scope.MESSAGES_READ), dst="4242")
    late = reply("late", dst="4242")
    with admin.store.writing() as slow:
        record(slow, [late], [], WINDOW)
        put(admin, "early", dst="4242")
        time.sleep(2.5)
        assert not watching.has("early"), "it would be read past the one that is not committed"
    eventually(lambda: watching.has("late", "early"))
    assert len(watching.events) == 2


def test_a_stream_until_a_time_that_has_passed_tells_what_there_was_and_ends(admin: Admin) -> None:
    put(admin, "there", dst="9999")
    # As it was received before, so that the time has passed.
    long_ago = datetime(2026, 1, 1, 12, tzinfo=UTC)
    admin.filled.reply(b"src=13900000001&dst=9999&msg=then", at=long_ago)
    api = admin.api(Scope.MESSAGES_READ)
    until = (long_ago + timedelta(minutes=1)).isoformat()
    answer = api.get("/messages/stream", dst="9999", since=long_ago.isoformat(), until=until)
    events = [json.loads(line.removeprefix("data: ")) for line in answer.body.decode().splitlines() if "data: " in line]
    assert [event["text"] for event in events] == ["then"]


def test_a_stream_ends_with_its_key_and_on_sigterm(fresh_admin: Admin) -> None:
    made = fresh_admin.key(Scope.MESSAGES_READ)
    one = opened(fresh_admin, Api(fresh_admin.port, made.token))
    other = opened(fresh_admin, fresh_admin.api(Scope.MESSAGES_READ))
    fresh_admin.keys.revoke(made.key.id, actor="test")
    assert one.ended.wait(30)
    assert not other.ended.is_set()
    began = time.monotonic()
    assert fresh_admin.server.terminate() == 0
    assert other.ended.wait(30)
    assert time.monotonic() - began < 19, "it was waited for the stream"


def test_there_are_only_so_many_and_pages_are_answered_beside_them(admin: Admin) -> None:
    api = admin.api(Scope.MESSAGES_READ)
    streams = [opened(admin, api) for _ in range(8)]
    assert api.get("/messages/stream").problem(429)["detail"].startswith("there are 8 streams")
    api.get("/messages").ok()
    assert not any(stream.ended.is_set() for stream in streams)


@pytest.mark.parametrize("place", ["x", "1-", "-1-" + "0" * 32, "9" * 20 + "-" + "0" * 32])
def test_what_is_no_place_is_refused(admin: Admin, place: str) -> None:
    api = admin.api(Scope.MESSAGES_READ)
    by_query = api.get("/messages/stream", after=place)
    by_header = api.request("GET", "/messages/stream", headers={"Last-Event-ID": place})
    for answer, field in ((by_query, "after"), (by_header, "Last-Event-ID")):
        assert [error["field"] for error in answer.problem(422)["errors"]] == [field]


def test_a_place_from_before_the_database_was_restored_is_refused_and_not_waited_at(admin: Admin) -> None:
    put(admin, "there")
    api = admin.api(Scope.MESSAGES_READ)
    with admin.store.reading() as connection:
        end = feed.end(connection)
    ahead = dataclasses.replace(end, position=end.position + 1_000_000)
    assert "restored" in api.get("/messages/stream", after=str(ahead)).problem(422)["detail"]
    ended = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    assert api.get("/messages/stream", after=str(end), until=ended).status == 200

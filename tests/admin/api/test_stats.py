"""Statistics over the API: counts by what was asked for, with totals, rates, and how fast replies were answered."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from receiver.access import Scope
from receiver.intake.acknowledgements import Acknowledgements
from receiver.store import counts, services
from tests.admin.conftest import Admin

DAY = datetime(2021, 6, 3, tzinfo=UTC)


def come_in(admin: Admin, *hours: float, text: str = "hello", dst: str = "1069", begin: datetime = DAY) -> None:
    for place, hour in enumerate(hours):
        query = f"src=1390000{place:04}&dst={dst}&msg={text}".encode()
        admin.filled.reply(query, at=begin + timedelta(hours=hour))


def told(answer: Any) -> list[tuple[str | None, int, int]]:
    return [(each["key"], each["replies"], each["unsubscribes"]) for each in answer["buckets"]]


def test_where_nothing_came_in_there_are_empty_days_and_no_rate(fresh_admin: Admin) -> None:
    answer = fresh_admin.api(Scope.MESSAGES_READ).get("/stats").ok()
    assert (answer["by"], answer["zone"]) == ("day", "Asia/Shanghai")
    assert len(answer["buckets"]) == 31
    assert {(each["replies"], each["unsubscribes"], each["opt_out_rate"]) for each in answer["buckets"]} == {
        (0, 0, None)
    }
    assert answer["total"] == {"replies": 0, "unsubscribes": 0, "quarantined": 0, "opt_out_rate": None}
    assert answer["time_to_acknowledge"] is None
    assert fresh_admin.api(Scope.MESSAGES_READ).get("/stats", by="service").ok()["buckets"] == []


def test_what_came_in_is_counted_by_what_was_asked_for(admin: Admin) -> None:
    with admin.store.writing() as connection:
        services.add(connection, "stats", "Stats", DAY)
        services.set_numbers(connection, "stats", ["106977"], [])
    come_in(admin, 1, 2, 2.5, 17)
    come_in(admin, 3, 20, dst="106977")
    come_in(admin, 4, 18, text="0000", dst="106977")
    admin.filled.kept(b"src=13900000001", at=DAY + timedelta(hours=5))
    with admin.store.writing() as connection:
        counts.count(connection, limit=5)
    api = admin.api(Scope.MESSAGES_READ)
    asked = {"since": "2021-06-03T00:00:00+08:00", "until": "2021-06-05T00:00:00+08:00"}
    by_day = api.get("/stats", **asked).ok()
    assert told(by_day) == [("2021-06-03", 4, 1), ("2021-06-04", 2, 1)]
    assert by_day["buckets"][0] == {
        "key": "2021-06-03",
        "start": "2021-06-02T16:00:00.000000Z",
        "end": "2021-06-03T16:00:00.000000Z",
        "replies": 4,
        "unsubscribes": 1,
        "quarantined": 1,
        "opt_out_rate": 0.2,
    }
    assert by_day["total"] == {"replies": 6, "unsubscribes": 2, "quarantined": 1, "opt_out_rate": 0.25}
    assert told(api.get("/stats", zone="UTC", **asked).ok()) == [
        ("2021-06-02", 0, 0),
        ("2021-06-03", 6, 2),
        ("2021-06-04", 0, 0),
    ]
    by_hour = api.get("/stats", by="hour", **asked).ok()
    assert len(by_hour["buckets"]) == 48
    assert ("2021-06-03T10:00:00+08:00", 2, 0) in told(by_hour)
    assert by_hour["total"] == by_day["total"]
    assert told(api.get("/stats", by="service", **asked).ok()) == [(None, 4, 0), ("stats", 2, 2)]
    assert told(api.get("/stats", by="kind", **asked).ok()) == [("reply", 6, 0), ("unsubscribe", 0, 2)]
    of_one = api.get("/stats", service="stats", **asked).ok()
    assert told(of_one) == [("2021-06-03", 1, 1), ("2021-06-04", 1, 1)]
    assert of_one["total"] == {"replies": 2, "unsubscribes": 2, "quarantined": None, "opt_out_rate": 0.5}


def test_how_fast_replies_were_acknowledged_is_told(admin: Admin) -> None:
    account = Acknowledgements(admin.store)
    for milliseconds in [2] * 98 + [50, 700]:
        account.note(milliseconds / 1000)
    account.close()
    answer = admin.api(Scope.MESSAGES_READ).get("/stats", by="kind").ok()["time_to_acknowledge"]
    assert answer["count"] == 100
    assert 2 <= answer["p50"] <= answer["p95"] <= 2.4
    assert 50 <= answer["p99"] <= 60
    assert answer["max"] == 700


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"since": "2021-06-03T00:00:00+08:00"}, "since"),
        ({"since": "2021-06-03T00:00:00"}, "since"),
        ({"since": "2021-06-03T00:00:00Z", "until": "2021-06-03T00:00:00Z"}, "since"),
        ({"by": "hour", "since": "2021-06-03T00:00:00Z", "until": "2021-07-05T00:00:00Z"}, "since"),
        ({"by": "week"}, "by"),
    ],
)
def test_what_can_not_be_told_is_refused_with_what_to_change(admin: Admin, query: dict[str, str], field: str) -> None:
    problem = admin.api(Scope.MESSAGES_READ).get("/stats", **query).problem(422)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert problem["type"].endswith("/invalid")


def test_a_period_that_ends_before_it_begins_is_refused_wherever_one_is_asked_for(admin: Admin) -> None:
    backwards = {"since": "2021-06-04T00:00:00Z", "until": "2021-06-03T00:00:00Z"}
    api = admin.all_powerful
    for path in ("/messages", "/messages/export", "/optouts", "/quarantine", "/sends", "/audit"):
        problem = api.get(path, **backwards).problem(422)
        assert problem["type"].endswith("/invalid"), path
        assert [error["field"] for error in problem["errors"]] == ["until"], path
        assert api.get(path, since=backwards["until"], until=backwards["since"]).status == 200
    for path in ("/quarantine/replay", "/messages/redecode"):
        problem = api.post(path, {**backwards, "charset": "utf-8"}).problem(422)
        assert "until" in [error["field"] for error in problem["errors"]], path

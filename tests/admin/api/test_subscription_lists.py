"""Lists of subscriptions over the API: checked, counted, and taken whole; nobody who said stop is on one."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from receiver.access import Scope
from receiver.optout.verify import verify
from receiver.store import subscriptions
from receiver.vocabulary import earliest_id
from tests.admin.client import Answer, Api
from tests.admin.conftest import Admin

CSV, LINES = "text/csv", "application/x-ndjson"


@pytest.fixture
def api(admin: Admin) -> Api:
    admin.all_powerful.put("/services/listed", {"name": "Listed"}).ok()
    return admin.api(Scope.OPTOUTS_WRITE, Scope.OPTOUTS_READ)


def imported(api: Api, content: str, kind: str = CSV, **query: Any) -> Answer:
    return api.request("POST", "/subscriptions/import", content.encode(), query=query, headers={"Content-Type": kind})


def has(api: Api, *phones: str) -> list[bool]:
    return [api.get(f"/subscriptions/{phone}/listed").status == 200 for phone in phones]


def test_a_list_is_imported_once_however_often_it_is_sent(api: Api, admin: Admin) -> None:
    api.put("/subscriptions/13955551001/listed", {}).ok()
    admin.filled.reply(b"src=13955551004&dst=1069&msg=0000")
    content = (
        "phone,service,since\n139-5555-1001,listed,\n13955551002,listed,2025-06-03\n+8613955551002,listed,\n\n"
        "13955551003,listed,\n13955551004,listed,\n"
    )
    dry = imported(api, content, dry_run=True).ok()
    left_out = [{"line": 7, "problem": "is opted out"}]
    counts = {"rows": 5, "new": 2, "already": 2, "opted_out": 1, "rejected": 0}
    assert dry == {"dry_run": True, **counts, "bad": [], "left_out": left_out}
    phones = [f"1395555100{number}" for number in range(1, 5)]
    assert has(api, *phones) == [True, False, False, False]
    assert imported(api, content).ok() == {**dry, "dry_run": False}
    assert has(api, *phones) == [True, True, True, False]
    assert api.get("/subscriptions/13955551002/listed").ok()["since"] == "2025-06-02T16:00:00.000000Z"
    assert (imported(api, content).ok()["new"], admin.rows("staged_subscriptions")) == (0, [])
    noted = [row["detail"]["rows"] for row in admin.rows("audit", action="subscriptions.imported")]
    assert noted == [5, 5]
    assert "1395555" not in admin.log
    assert verify(admin.store).ok


@pytest.mark.parametrize(
    ("kind", "content", "bad"),
    [
        (CSV, "phone;service\n13955552001;listed\n13955552002;none\nnobody;listed\n", {3: "no service", 4: "no phone"}),
        (
            LINES,
            '{"phone": "13955552001", "service": "listed"}\n{"phone": "13955552002"}\n'
            '{"phone": "13955552002", "service": 1}\n',
            {2: "has no service", 3: "service is no text"},
        ),
    ],
    ids=["csv", "lines"],
)
def test_bad_lines_stop_the_others_unless_they_are_skipped(
    kind: str, content: str, bad: dict[int, str], api: Api, admin: Admin
) -> None:
    problem = imported(api, content, kind).problem(422)
    assert [error["field"] for error in problem["errors"]] == [f"line {number}" for number in bad]
    done = imported(api, content, kind, skip_bad=True).ok()
    assert [each["line"] for each in done["bad"]] == list(bad)
    for each in done["bad"]:
        assert bad[each["line"]] in each["problem"]
    assert (done["rejected"], has(api, "13955552001", "13955552002")) == (2, [True, False])
    assert "no column phone and service" in imported(api, "13955552001\n").problem(422)["detail"]
    imported(admin.api(Scope.OPTOUTS_READ), content).problem(403)


def test_two_at_once_are_each_whole_and_count_each_phone_once(api: Api, admin: Admin) -> None:
    content = "phone,service\n" + "".join(f"1395556{number:04},listed\n" for number in range(2_000))
    with ThreadPoolExecutor(2) as pool:
        done = [answer.ok() for answer in pool.map(lambda _: imported(api, content), range(2))]
    assert [(each["rows"], each["new"] + each["already"]) for each in done] == [(2_000, 2_000)] * 2
    assert sum(each["new"] for each in done) == 2_000
    assert admin.rows("staged_subscriptions") == []


def test_who_is_given_a_service_that_somebody_ends_at_once_is_not_told_to_be_opted_out(api: Api) -> None:
    path = "/subscriptions/13955558001/listed"
    with ThreadPoolExecutor(8) as pool:
        given = pool.map(lambda _: (api.put(path, {}).status, api.delete(path, reason="by phone").status), range(20))
    # 503: so many were in the way of one another that it is to be asked again. 409 would say that the phone stopped.
    assert {status for each in given for status in each} <= {200, 201, 204, 503}


def test_what_an_import_that_was_killed_left_behind_is_dropped_by_a_later_one(api: Api, admin: Admin) -> None:
    long_ago = earliest_id(datetime(2026, 1, 1, tzinfo=UTC))
    row = {"line": 1, "phone": "+8613955557001", "service": "listed", "since": datetime.now(UTC)}
    with admin.store.writing() as connection:
        subscriptions.stage(connection, long_ago, [row])
    imported(api, "phone,service\n13955557002,listed\n").ok()
    assert admin.rows("staged_subscriptions") == []
    assert has(api, "13955557001", "13955557002") == [False, True]

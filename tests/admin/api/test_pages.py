"""Pages hold still: a walk meets every row that was there when it began, once, whatever comes in meanwhile."""

import base64
import json
import threading
from typing import Any

import pytest

from receiver.access import Scope
from tests.admin.conftest import Admin


def names(page: dict[str, Any]) -> list[str]:
    return [key["name"] for key in page["items"]]


def test_a_walk_meets_what_was_there_once_while_more_comes_in(fresh_admin: Admin) -> None:
    api = fresh_admin.all_powerful
    for number in range(25):
        fresh_admin.key(Scope.SMS_SEND, name=f"old {number}")
    stop = threading.Event()

    def pour() -> None:
        number = 0
        while not stop.is_set():
            fresh_admin.key(Scope.SMS_SEND, name=f"new {(number := number + 1)}")

    pouring = threading.Thread(target=pour)
    pouring.start()
    try:
        for limit in (1, 2, 3, 7, 24, 25, 26, 500):
            walked = [key["name"] for key in api.walk("/keys", limit=limit) if "old" in key["name"]]
            assert walked == [f"old {number}" for number in reversed(range(25))], limit
    finally:
        stop.set()
        pouring.join()


def test_back_and_forth_are_the_same_pages(fresh_admin: Admin) -> None:
    api = fresh_admin.api(Scope.ADMIN)
    for number in range(9):
        fresh_admin.key(Scope.SMS_SEND, name=f"{number}")
    first = api.get("/keys", limit=4).ok()
    second = api.get("/keys", limit=4, cursor=first["next"]).ok()
    third = api.get("/keys", limit=4, cursor=second["next"]).ok()
    assert [names(page) for page in (first, second, third)] == [list("8765"), list("4321"), ["0", "test"]]
    assert third["next"] is None
    assert names(api.get("/keys", limit=4, cursor=third["previous"]).ok()) == list("4321")
    assert names(api.get("/keys", limit=4, cursor=second["previous"]).ok()) == list("8765")
    newest = api.get("/keys", limit=4, cursor=first["previous"]).ok()
    assert newest == {"items": [], "next": None, "previous": None}
    # What came in since is before the first page.
    fresh_admin.key(Scope.SMS_SEND, name="9")
    newer = api.get("/keys", limit=4, cursor=first["previous"]).ok()
    assert names(newer) == ["9"]
    assert names(api.get("/keys", limit=1, cursor=newer["next"]).ok()) == ["8"]


def test_the_page_before_is_the_one_next_to_it_and_not_the_newest(fresh_admin: Admin) -> None:
    api = fresh_admin.api(Scope.ADMIN)
    for number in range(9):
        fresh_admin.key(Scope.SMS_SEND, name=f"{number}")
    last = api.get("/keys", limit=8).ok()
    rest = api.get("/keys", limit=8, cursor=last["next"]).ok()
    assert names(rest) == ["0", "test"]
    assert names(api.get("/keys", limit=2, cursor=rest["previous"]).ok()) == ["2", "1"]


def test_a_page_ends_exactly_where_there_is_nothing_more(fresh_admin: Admin) -> None:
    api = fresh_admin.api(Scope.ADMIN)
    for number in range(3):
        fresh_admin.key(Scope.SMS_SEND, name=f"{number}")
    assert api.get("/keys", limit=4).ok()["next"] is None
    assert api.get("/keys", limit=3).ok()["next"] is not None
    assert len(api.get("/keys").ok()["items"]) == 4


def forged(cursor: str) -> list[str]:
    """Other things that somebody might send as a cursor."""

    def written(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return [
        cursor[:-3],
        cursor + "x",
        cursor.upper(),
        "0",
        written([]),
        written(["older"]),
        written(["older", 5]),
        written(["older", None]),
        written(["older", "x"]),
        written(["sideways", "0197b7a2-7b7a-7b7a-8b7a-7b7a7b7a7b7a"]),
        written(["older", "0197b7a2-7b7a-7b7a-8b7a-7b7a7b7a7b7a", "more"]),
        written({"older": "0197b7a2-7b7a-7b7a-8b7a-7b7a7b7a7b7a"}),
        written([["older"]] * 2),
        "W" * 500,
    ]


def test_no_cursor_of_the_register_makes_the_server_fail(admin: Admin) -> None:
    earliest, zoned = "0001-01-01T00:00:00+23:59", "2026-01-01T00:00:00+00:00"
    for key in (
        [earliest, "+8613900000001"],
        [zoned, "\ud800"],
        [zoned, "a\0"],
        [zoned, 5],
        [zoned[:-6], "a"],
        [1, "a"],
    ):
        cursor = base64.urlsafe_b64encode(json.dumps(["older", key]).encode()).decode()
        problem = admin.all_powerful.get("/optouts", cursor=cursor).problem(422)
        assert [error["field"] for error in problem["errors"]] == ["cursor"], key


@pytest.mark.parametrize("path", ["/keys", "/audit", "/messages"])
def test_what_is_no_cursor_is_refused(path: str, admin: Admin) -> None:
    api = admin.all_powerful
    admin.filled.reply(b"src=13900000001&dst=1069&msg=one")
    admin.filled.reply(b"src=13900000001&dst=1069&msg=two")
    api.post("/keys", {"name": "one", "scopes": ["admin"]}).ok()
    api.post("/keys", {"name": "two", "scopes": ["admin"]}).ok()
    cursor = api.get(path, limit=1).ok()["next"]
    assert api.get(path, cursor=cursor).status == 200
    for other in forged(cursor):
        problem = api.get(path, cursor=other).problem(422)
        assert [error["field"] for error in problem["errors"]] == ["cursor"], other

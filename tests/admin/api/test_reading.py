"""What a request says is read exactly: nothing is guessed, and nothing that can't be used is passed over."""

from typing import Any

import pytest

from receiver.access import Scope
from tests.admin.conftest import Admin

KEY = {"name": "read", "scopes": ["sms:send"]}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=5.0", "limit"),
        ("limit=%2B5", "limit"),
        ("limit=1_0", "limit"),
        ("limit=٥", "limit"),
        ("limit=", "limit"),
        ("limit=" + "9" * 400, "limit"),
        ("limit=1&limit=1", "limit"),
        ("duplicates=yes", "duplicates"),
        ("duplicates=1", "duplicates"),
        ("duplicates=True", "duplicates"),
        ("kind=Reply", "kind"),
        ("kind=", "kind"),
        ("text=", "text"),
        ("text=%00", "text"),
        ("text=" + "x" * 201, "text"),
        ("since=2026-06-03", "since"),
        ("since=2026-06-03T09:00:00", "since"),
        ("since=2026-06-03T09:00:00+08:00", "since"),  # the + is a space
        ("since=2026-02-30T09:00:00Z", "since"),
        ("since=2026-06-03T09:00:00%2B08:60", "since"),
        ("since=1780477200", "since"),
        ("cursor=x", "cursor"),
        ("cursor=" + "x" * 501, "cursor"),
        ("colour=blue", "colour"),
        ("src=139&SRC=139", "SRC"),
    ],
)
def test_a_query_that_can_not_be_used_names_its_field(query: str, field: str, admin: Admin) -> None:
    problem = admin.all_powerful.get(f"/messages?{query}").problem(422)
    assert problem["type"] == "/api/problems/invalid"
    assert [error["field"] for error in problem["errors"]] == [field]
    assert field in problem["detail"]


def test_a_view_without_parameters_takes_none(admin: Admin) -> None:
    key = admin.key(Scope.SMS_SEND).key
    problem = admin.all_powerful.get(f"/keys/{key.id}", reveal=True).problem(422)
    assert [error["field"] for error in problem["errors"]] == ["reveal"]


def test_what_is_unknown_or_lacking_is_told_with_what_to_do(admin: Admin) -> None:
    problem = admin.all_powerful.post("/sms", {"text": "hello", "phone": "13900000001"}).problem(422)
    said = {error["field"]: error["message"] for error in problem["errors"]}
    assert said.keys() == {"phone", "phones"}
    assert "leave it out" in said["phone"]
    assert "send it" in said["phones"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=500",
        "duplicates=true",
        "duplicates=false",
        "since=2026-06-03T09:00:00Z&until=2026-06-03t09:00:00.123456789z",
        "since=2026-06-03T09:00:00%2B08:00",
        "since=2026-06-03T09:00:00-23:59",
        "since=0001-01-01T00:00:00%2B23:59&until=9999-12-31T23:59:59-23:59",
        "text=%E4%BD%A0%E5%A5%BD&src=139%200000%200001&dst=1069&service=news&kind=reply&origin=push",
    ],
)
def test_a_query_that_can_be_used_is(query: str, admin: Admin) -> None:
    assert admin.all_powerful.get(f"/messages?{query}").status == 200


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (None, ["body"]),
        ([], ["body"]),
        ("a", ["body"]),
        (7, ["body"]),
        ('{"name": "inner", "scopes": ["admin"]}', ["body"]),  # JSON in a JSON string
        ({}, ["name", "scopes"]),
        ({**KEY, "name": 7}, ["name"]),
        ({**KEY, "name": None}, ["name"]),
        ({**KEY, "name": "a\x00b"}, ["name"]),
        ({**KEY, "scopes": "admin"}, ["scopes"]),
        ({**KEY, "scopes": ["admin", "root"]}, ["scopes.1"]),
        ({**KEY, "expires_at": 1780477200}, ["expires_at"]),
        ({**KEY, "expires_at": "2099-01-01"}, ["expires_at"]),
        ({**KEY, "Name": "x", "y": 1}, ["Name", "y"]),
        ({**KEY, "x" * 5000: 1}, ["x" * 100]),
    ],
)
def test_a_body_that_can_not_be_used_names_its_fields(body: Any, fields: list[str], admin: Admin) -> None:
    headers = {"Content-Type": "application/json"}
    raw = b"null" if body is None else body
    problem = admin.all_powerful.request("POST", "/keys", raw, headers=headers).problem(422)
    assert [error["field"] for error in problem["errors"]] == fields


def test_what_was_given_is_not_repeated(admin: Admin) -> None:
    answer = admin.all_powerful.get("/messages", since="13900000001", kind="13900000001", limit="13900000001")
    answer.problem(422)
    assert b"13900000001" not in answer.body
    assert "13900000001" not in admin.log

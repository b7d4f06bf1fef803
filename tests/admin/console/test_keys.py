"""Keys of the API in the console, made, shown this once and revoked; and what is told where no gateway is set up."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from receiver.access import KeyRefused, Keys, Scope
from receiver.access.roles import Role
from receiver.admin.console.cookies import ONCE
from tests.admin.client import Api
from tests.admin.conftest import Admin
from tests.admin.console.conftest import LogIn
from tests.admin.console.visitor import Visitor


@pytest.fixture
def boss(log_in: LogIn) -> Visitor:
    visitor = log_in(Role.ADMIN)
    visitor.get("/keys")
    return visitor


def test_a_key_is_made_shown_once_used_and_revoked(admin: Admin, boss: Visitor) -> None:
    assert "No key yet" in boss.get("/keys").words
    made = boss.follow("/keys", name="shop", scope="sms:send", last_day="")
    (token,) = set(re.findall(r"rcv_[0-9a-f]{8}_[\w-]{43}", made.text))
    assert made.headers["Cache-Control"] == "no-store"
    assert Api(admin.port, token).get("/sends").status == 200
    key = admin.keys.authenticate(token)
    for page in (boss.get("/keys"), boss.get(f"/keys/{key.id}")):
        assert key.prefix in page.text
        assert token not in page.text
    assert "opens nothing any more" in boss.follow(f"/keys/{key.id}/revoke").words
    boss.follow(f"/keys/{key.id}/revoke")
    with pytest.raises(KeyRefused, match="revoked"):
        admin.keys.authenticate(token)
    noted = [(row["action"], row["target"]) for row in admin.rows("audit") if row["action"].startswith("key.")]
    assert noted == [("key.created", "shop"), ("key.revoked", str(key.id))]
    assert boss.get("/keys/00000000-0000-0000-0000-000000000000").status == 404
    assert token not in admin.log


def test_a_new_keys_page_that_is_loaded_again_makes_no_other_and_shows_no_others(admin: Admin, boss: Visitor) -> None:
    page = boss.post("/keys", name="reloaded", scope="sms:send").headers["Location"]
    token, boss.cookies[ONCE] = boss.cookies[ONCE], f"rcv_00000000_{'x' * 43}"
    given = boss.get(page)
    assert (given.status, given.headers["Location"].partition("?")[2]) == (303, "done=key-shown"), "none of ours"
    boss.cookies[ONCE] = token
    assert token in boss.get(page).text
    again = boss.get(boss.get(page).headers["Location"])
    assert "The key was shown once" in again.words
    assert "Revoke" in again.words
    assert len(admin.rows("api_keys", name="reloaded")) == 1


def test_a_key_ends_with_its_last_day_where_its_maker_lives(admin: Admin, boss: Visitor) -> None:
    last_day = datetime.now(UTC).date() + timedelta(days=30)
    boss.post("/keys", name="till then", scope="messages:read", last_day=str(last_day))
    (row,) = admin.rows("api_keys", name="till then")
    assert row["expires_at"] == datetime(last_day.year, last_day.month, last_day.day, 16, tzinfo=UTC)
    for fields, says in (
        ({"last_day": "2020-01-01"}, "This day is over"), ({"last_day": "x"}, "Write a day"), ({"name": " "}, "Write"),
        ({"scope": "everything"}, "at least one"), ({"last_day": "9999-12-31"}, "Write a day"),
        ({"name": "\x00"}, "one line"),
    ):  # fmt: skip
        wrong = boss.post("/keys", **{"name": "wrong", "scope": "admin", **fields})
        assert (wrong.status, says in wrong.words) == (422, True), wrong.words
    assert admin.rows("api_keys", name="wrong") == []


def test_the_list_says_what_each_key_may_whether_it_opens_and_when_it_was_used(admin: Admin, boss: Visitor) -> None:
    now = datetime.now(UTC)
    before = Keys(admin.store, lambda: now - timedelta(days=3))
    before.create("past it", [Scope.SMS_SEND], actor="tests", expires_at=now - timedelta(days=1))
    used = admin.key(Scope.OPTOUTS_READ, name="in use")
    admin.keys.authenticate(used.token)
    rows = {row.partition("</a>")[0].rpartition(">")[2]: row for row in boss.get("/keys").text.split("<tr>")}
    assert "expired" in rows["past it"]
    assert "sms:send" in rows["past it"]
    assert "active" in rows["in use"]
    assert 'data-label="Last used"><time' in rows["in use"]
    assert 'data-label="Last used"><time' not in rows["past it"]
    shown = boss.get(f"/keys/{used.key.id}").words
    assert "optouts:read asks who is opted out" in shown
    again = boss.post("/keys", name=" ", scope="sms:send").text
    assert re.findall(r'name="scope" value="([^"]+)" checked', again) == ["sms:send"], "what was chosen stays"


def test_without_a_gateway_it_is_said_what_to_set(admin: Admin, log_in: LogIn) -> None:
    visitor = log_in(Role.OPERATOR)
    empty = visitor.get("/sends").words
    assert "Nothing was sent yet" in empty
    assert "Write a text" in empty
    pages = [visitor.get("/sends/new")]
    pages += [visitor.post(path, text="你好", phones="13900000001") for path in ("/sends/new", "/sends/new/preview")]
    for page in pages:
        assert "RECEIVER_GATEWAY_NAME" in page.words
    assert admin.rows("sends") == []

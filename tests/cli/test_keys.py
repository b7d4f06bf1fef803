"""``receiver keys``: made, listed and revoked from the command line, and what the API then thinks of them."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from receiver.access import KeyRefused, Keys, Scope
from receiver.store.tables import audit
from tests.cli.conftest import Filled, Run, on_terminal


def test_a_key_is_made_and_its_token_printed_once(filled: Filled, run: Run) -> None:
    ran = run("keys", "create", "crm", "--scope", "messages:read", "--scope", "sms:send", "--actor", "li")
    assert ran.status == 0
    (made,) = ran.rows
    assert (made["name"], made["scopes"], made["state"]) == ("crm", ["messages:read", "sms:send"], "active")
    assert (made["created_by"], made["expires_at"], made["last_used_at"]) == ("li", None, None)
    assert Keys(filled.store).authenticate(made["token"]).scopes == {Scope.MESSAGES_READ, Scope.SMS_SEND}
    listed = run("keys", "list")
    assert made["token"] not in listed.out
    assert [row["prefix"] for row in listed.rows] == [made["prefix"]]
    assert listed.rows[0]["last_used_at"] is not None


@pytest.mark.parametrize(("life", "days"), [("90d", 90), ("12w", 84), ("1y", 365)])
def test_a_life_is_counted_from_now(life: str, days: int, filled: Filled, run: Run) -> None:
    before = datetime.now(UTC)
    (made,) = run("keys", "create", "brief", "--scope", "admin", "--expires", life, "--actor", "li").rows
    expires = datetime.fromisoformat(made["expires_at"])
    assert before + timedelta(days=days) - timedelta(seconds=1) <= expires <= datetime.now(UTC) + timedelta(days=days)


def test_a_revoked_key_opens_nothing_and_stays_in_the_list(filled: Filled, run: Run) -> None:
    (made,) = run("keys", "create", "crm", "--scope", "admin", "--actor", "li").rows
    for named in (made["prefix"], made["id"]):
        ran = run("keys", "revoke", named, "--actor", "wang")
        assert (ran.status, ran.out) == (0, "")
    with pytest.raises(KeyRefused, match="revoked"):
        Keys(filled.store).authenticate(made["token"])
    assert [row["state"] for row in run("keys", "list").rows] == ["revoked"]


def test_both_are_in_the_audit_by_who_did_them(filled: Filled, run: Run) -> None:
    (made,) = run("keys", "create", "crm", "--scope", "admin", "--actor", "li").rows
    run("keys", "revoke", made["prefix"], "--actor", "wang")
    run("keys", "revoke", made["prefix"], "--actor", "zhao")
    with filled.store.reading() as transaction:
        acts = transaction.execute(select(audit).order_by(audit.c.id)).mappings().all()
    assert [(act["action"], act["actor"], act["via"], act["target"]) for act in acts] == [
        ("key.created", "li", "cli", "crm"),
        ("key.revoked", "wang", "cli", made["prefix"]),
    ]
    assert acts[0]["detail"] == {"scopes": ["admin"]}
    assert made["token"] not in str([dict(act) for act in acts])


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["create", "crm"], 2, "--scope"),
        (["create", "crm", "--scope", "messages:write"], 2, "messages:write"),
        (["create", " ", "--scope", "admin"], 2, "one line of 1 to 60"),
        (["create", "crm", "--scope", "admin", "--expires", "2020-01-01"], 2, "would have expired already"),
        (["create", "crm", "--scope", "admin", "--expires", "soon"], 2, "soon"),
        (["revoke", "rcv_00000000", "--actor", "li"], 1, "no key has this id or prefix"),
        (["revoke", str(uuid4()), "--actor", "li"], 1, "no key has this id or prefix"),
    ],
)
def test_what_can_not_be_done_says_why(arguments: list[str], status: int, says: str, sqlite: Filled, run: Run) -> None:
    ran = run("keys", *arguments)
    assert (ran.status, ran.out) == (status, "")
    assert says in ran.err


def test_the_list_goes_on_where_it_ended(sqlite: Filled, run: Run) -> None:
    for number in range(5):
        Keys(sqlite.store).create(f"key {number}", [Scope.ADMIN], actor="li")
    first = run("keys", "list", "--limit", 3)
    assert [row["name"] for row in first.rows] == ["key 4", "key 3", "key 2"]
    rest = run("keys", "list", "--after", first.rows[-1]["id"])
    assert [row["name"] for row in rest.rows] == ["key 1", "key 0"]


def test_on_a_terminal_it_is_a_table_that_shows_the_whole_token(sqlite: Filled) -> None:
    ran = on_terminal(["keys", "create", "crm", "--scope", "admin", "--actor", "li"], columns=60)
    assert ran.status == 0
    token = next(word for word in ran.out.split() if word.startswith("rcv_") and len(word) > 20)
    assert Keys(sqlite.store).authenticate(token).name == "crm"
    assert "it can't be shown again" in ran.out
    ran = on_terminal(["keys", "revoke", token[:12], "--actor", "li"])
    assert f"{token[:12]} (crm) opens nothing any more" in ran.out

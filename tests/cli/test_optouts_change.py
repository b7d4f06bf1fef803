"""``receiver optouts add``, ``lift``, ``history`` and ``verify``."""

import json
import os
import sqlite3
from pathlib import Path

import pytest

from tests.cli.conftest import Filled, Run, on_terminal

WHY = ("--reason", "asked by telephone", "--actor", "Li Na")
PHONE = "13900000001"


def test_who_is_added_is_blocked_at_once(filled: Filled, run: Run) -> None:
    added = run("optouts", "add", "+86 139-0000-0001", "-", *WHY, stdin="13900000002\n\n13900000001\n")
    assert (added.status, added.err) == (0, "")
    assert [(row["phone"], row["status"]) for row in added.rows] == [
        ("+86139****0001", "opted out"),
        ("+86139****0002", "opted out"),
    ]
    again = run("optouts", "add", PHONE, "13900000003", *WHY, "--reveal", "--source", "api").rows
    assert [(row["phone"], row["status"]) for row in again] == [
        ("+8613900000003", "opted out"),
        ("+8613900000001", "already opted out"),
    ]
    assert run("optouts", "check", PHONE).status == 1
    listed = {row["phone"]: row for row in run("optouts", "list", "--reveal").rows}
    assert listed["+8613900000001"]["source"] == "manual"
    assert listed["+8613900000003"]["source"] == "api"
    assert listed["+8613900000001"]["actor"] == "Li Na"
    assert listed["+8613900000001"]["reason"] == "asked by telephone"


def test_one_that_is_no_phone_stops_them_all(filled: Filled, run: Run) -> None:
    ran = run("optouts", "add", PHONE, "12", *WHY)
    assert ran.status == 2
    assert "12" in ran.err
    assert run("optouts", "check", PHONE).status == 0


UNEXPLAINED = [
    (),
    ("--reason", "x"),
    ("--actor", "Li Na"),
    ("--reason", " ", "--actor", "Li Na"),
    ("--reason", "x", "--actor", ""),
    ("--reason", "x", "--actor", "a\nb"),
    ("--reason", "x", "--actor", "Subscriber"),
    ("--reason", "x", "--actor", "system"),
    ("--reason", "x" * 501, "--actor", "Li Na"),
    ("--reason", "x", "--actor", "x" * 101),
]


@pytest.mark.parametrize("said", UNEXPLAINED)
@pytest.mark.parametrize("act", ["add", "lift"])
def test_nothing_is_changed_without_a_person_and_a_reason(
    act: str, said: tuple[str, ...], sqlite: Filled, run: Run
) -> None:
    sqlite.reply(b"src=13900000002&dst=1069&msg=0000")
    ran = run("optouts", act, "13900000002" if act == "lift" else PHONE, *said)
    assert ran.status == 2
    assert len(ran.err.splitlines()) == 1
    assert run("optouts", "check", PHONE).status == 0
    assert run("optouts", "check", "13900000002").status == 1


def test_more_than_a_thousand_are_a_list(sqlite: Filled, run: Run) -> None:
    phones = "\n".join(f"1390000{number:04}" for number in range(1_001))
    ran = run("optouts", "add", "-", *WHY, stdin=phones)
    assert ran.status == 2
    assert "optouts import" in ran.err


def test_a_lift_is_refused_for_a_phone_with_none(filled: Filled, run: Run) -> None:
    ran = run("optouts", "lift", PHONE, *WHY)
    assert ran.status == 1
    assert "not opted out" in ran.err


def test_who_was_lifted_and_stopped_again_shows_the_whole_history(filled: Filled, run: Run) -> None:
    message = filled.reply(b"src=13900000001&dst=1069&msg=0000")
    assert run("optouts", "lift", "+86 139 0000 0001", *WHY).rows == [
        {"phone": "+86139****0001", "status": "no longer opted out"}
    ]
    assert run("optouts", "check", PHONE).status == 0
    run("optouts", "add", PHONE, "--reason", "changed her mind", "--actor", "Wang")
    events = run("optouts", "history", PHONE).rows
    assert [(event["type"], event["actor"]) for event in events] == [
        ("opted_out", "subscriber"),
        ("lifted", "Li Na"),
        ("opted_out", "Wang"),
    ]
    assert [event["detail"].get("reason") for event in events] == [None, "asked by telephone", "changed her mind"]
    assert events[0]["message_id"] == str(message)
    assert {event["phone"] for event in events} == {"+86139****0001"}
    assert run("optouts", "history", PHONE, "--reveal").rows[0]["phone"] == "+8613900000001"
    written = run("optouts", "history", PHONE, "--format", "csv").out
    assert '""reason"": ""changed her mind""' in written
    shown = on_terminal(["optouts", "history", PHONE]).out
    assert "reason: changed her mind" in shown
    assert "opted out now" in shown


def test_an_argument_that_is_no_utf_8_is_not_found(filled: Filled, run: Run) -> None:
    for act in (["history"], ["lift", *WHY]):
        ran = run("optouts", *act, os.fsdecode(b"139\xff"))
        assert (ran.status, ran.out) == (1, "")
        assert "this phone" in ran.err


def test_a_phone_without_a_history_is_status_1(sqlite: Filled, run: Run) -> None:
    assert run("optouts", "history", PHONE).status == 1


def test_nobody_may_be_texted_where_the_register_cant_be_asked(
    sqlite: Filled, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite3.connect(tmp_path / "receiver.db") as connection:
        connection.execute("ALTER TABLE optouts RENAME TO elsewhere")
    connection.close()
    ran = run("optouts", "check", PHONE)
    assert ran.status == 3
    assert (ran.out, len(ran.err.splitlines())) == ("", 1)
    assert "nobody may be texted" in ran.err


def test_a_ledger_as_it_was_is_verified(filled: Filled, run: Run) -> None:
    empty = run("optouts", "verify")
    assert (empty.status, empty.rows[0]["events"], empty.rows[0]["head"]) == (0, 0, "0" * 64)
    run("optouts", "add", PHONE, *WHY)
    [pinned] = run("optouts", "verify").rows
    assert (pinned["ok"], pinned["events"], pinned["problem"]) == (True, 1, None)
    run("optouts", "add", "13900000002", *WHY)
    assert run("optouts", "verify", "--head", pinned["head"]).status == 0
    assert run("optouts", "verify", "--head", pinned["head"].upper()).status == 0
    assert run("optouts", "verify", "--head", f"1:{pinned['head']}").status == 0
    other = run("optouts", "verify", "--head", f"2:{pinned['head']}")
    assert (other.status, "the pinned head is event 1" in other.rows[0]["problem"]) == (1, True)
    for wrong in ("12", f"01:{pinned['head']}", f"{pinned['head']}:1"):
        assert run("optouts", "verify", "--head", wrong).status == 2
    made = run("db", "backup", "-o", "a.backup").rows[0]["ledger_head"]
    assert run("optouts", "verify", "--head", made).status == 0
    lost = run("optouts", "verify", "--head", "f" * 64)
    assert lost.status == 1
    assert "pinned" in lost.rows[0]["problem"]


def test_the_first_event_that_was_edited_is_named(sqlite: Filled, run: Run, tmp_path: Path) -> None:
    for number in range(1, 4):
        run("optouts", "add", f"1390000000{number}", *WHY)
    with sqlite3.connect(tmp_path / "receiver.db") as connection:
        connection.execute("DROP TRIGGER ledger_no_update")
        connection.execute("UPDATE ledger SET detail = ? WHERE sequence = 2", [json.dumps({"source": "sms"})])
    connection.close()
    ran = run("optouts", "verify")
    assert ran.status == 1
    assert (ran.rows[0]["ok"], ran.rows[0]["events"], ran.rows[0]["wrong_event"]) == (False, 1, 2)
    assert "event 2 was edited" in ran.rows[0]["problem"]
    assert "event 2 was edited" in on_terminal(["optouts", "verify"]).out


@pytest.mark.parametrize("head", ["", "x", "0" * 63, "0" * 65, "g" * 64])
def test_what_is_no_hash_is_wrong_usage(head: str, sqlite: Filled, run: Run) -> None:
    assert run("optouts", "verify", "--head", head).status == 2

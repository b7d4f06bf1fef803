"""``receiver messages erase``: asked twice, done once, and told what stays."""

from contextlib import ExitStack
from uuid import UUID

import pytest
from sqlalchemy import select

from receiver.gateway.sending import Sending, SendRequest
from receiver.store.tables import audit, ledger
from receiver.store.tables import messages as stored
from tests.cli.conftest import Filled, Run, on_terminal
from tests.intake.replies import rows

PHONE = "13912345678"
WHY = ["--reason", "asked by letter", "--actor", "Li Na"]


def reply(filled: Filled, phone: str = PHONE) -> UUID:
    return filled.reply(f"src={phone}&dst=1069&msg=hello".encode())


def test_what_a_subscriber_wrote_is_erased(filled: Filled, run: Run) -> None:
    reply(filled)
    other = reply(filled, "13800000001")
    ran = run("messages", "erase", "+86 139-1234-5678", *WHY, "--yes")
    assert ran.status == 0
    [row] = ran.rows
    assert row == {
        "phone": "+86139****5678",
        "messages": 1,
        "quarantined": 0,
        "recipients": 0,
        "open": 0,
        "log_emptied": True,
    }
    assert [row["id"] for row in rows(filled.store, stored)] == [other]
    [event] = rows(filled.store, ledger)
    assert (event["type"], event["actor"], event["detail"]["reason"]) == ("erased", "Li Na", "asked by letter")
    [act] = rows(filled.store, audit)
    assert (act["action"], act["actor"], act["via"]) == ("subscriber.erased", "Li Na", "cli")
    assert act["target"] == "+8613912345678"
    again = run("messages", "erase", PHONE, *WHY, "--yes")
    assert (again.status, again.out) == (1, "")
    assert "nothing is stored of this phone" in again.err


def test_the_phone_is_shown_whole_with_reveal_alone(sqlite: Filled, run: Run) -> None:
    reply(sqlite)
    [row] = run("messages", "erase", PHONE, *WHY, "--yes", "--reveal").rows
    assert row["phone"] == "+8613912345678"


@pytest.mark.parametrize(
    "said", [["--reason", "x"], ["--actor", "li"], [*WHY], ["--reason", " ", "--actor", "li", "--yes"]]
)
def test_who_why_and_yes_must_be_said(said: list[str], sqlite: Filled, run: Run) -> None:
    kept = reply(sqlite)
    assert run("messages", "erase", PHONE, *said).status == 2
    assert [row["id"] for row in rows(sqlite.store, stored)] == [kept]


@pytest.mark.parametrize(
    ("typed", "status"), [("139 1234 5678", 0), ("+8613912345678", 0), ("13912345679", 1), ("y", 1)]
)
def test_on_a_terminal_the_phone_is_typed_once_more(typed: str, status: int, sqlite: Filled) -> None:
    reply(sqlite)
    ran = on_terminal(["messages", "erase", PHONE, *WHY], answer=f"{typed}\n")
    assert ran.status == status
    assert "Type the phone once more" in ran.out
    assert len(rows(sqlite.store, stored)) == (1 if status else 0)
    assert status == 0 or "nothing was erased" in ran.out


def test_what_stays_is_told(sqlite: Filled, run: Run) -> None:
    reply(sqlite)
    Sending(sqlite.store).enqueue(SendRequest([PHONE], "明天停水"), "li")
    with ExitStack() as reader:
        reader.enter_context(sqlite.store.reading()).execute(select(stored.c.id)).all()
        ran = run("messages", "erase", PHONE, *WHY, "--yes")
    assert (ran.rows[0]["open"], ran.rows[0]["log_emptied"]) == (1, False)
    assert "1 sends to it are open" in ran.err
    assert "a worker empties it" in ran.err

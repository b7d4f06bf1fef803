"""People of the house: each role tries what another may, looks for what is masked, and lifts opt-outs unseen."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from receiver.access import Scope
from receiver.access.roles import Role
from tests.admin.console.visitor import somebody, visiting
from tests.attacks.conftest import House, LogIn
from tests.processes import run

PHONE = "13900007601"


def opt_out(house: House, phone: str) -> str:
    """Have a subscriber say stop; the path of their page."""
    house.reply(f"src={phone}&dst=1069&msg=0000".encode())
    event = house.admin.rows("ledger", phone=f"+86{phone}")[-1]["sequence"]
    return f"/optouts/{event}"


def test_only_two_roles_lift_and_only_with_a_reason_and_the_phone(house: House, log_in: LogIn) -> None:
    page = opt_out(house, PHONE)
    whole = {"reason": "signed a new form", "confirm": PHONE}
    for role in (Role.VIEWER, Role.OPERATOR):
        visitor = log_in(role)
        visitor.get(page)
        assert visitor.post(f"{page}/lift", **whole).status == 403
    visitor = log_in(Role.COMPLIANCE)
    visitor.get(page)
    for lacking in ({**whole, "reason": " "}, {**whole, "confirm": ""}, {**whole, "confirm": "13900007602"}):
        assert visitor.post(f"{page}/lift", **lacking).status == 422
    for scopes in ((Scope.OPTOUTS_READ,), (Scope.SMS_SEND,), (Scope.MESSAGES_READ,)):
        assert house.admin.api(*scopes).delete(f"/optouts/{PHONE}", reason="r", actor="x").status == 403
    assert house.admin.api(Scope.OPTOUTS_WRITE).delete(f"/optouts/{PHONE}").status == 422
    assert house.stored.is_opted_out("+86" + PHONE)


def test_a_lift_names_who_did_it_whatever_they_say(house: House, log_in: LogIn) -> None:
    page = opt_out(house, "13900007603")
    visitor = log_in(Role.COMPLIANCE)
    visitor.get(page)
    visitor.follow(f"{page}/lift", reason="r", confirm="13900007603", actor="subscriber")
    (event,) = [row for row in house.admin.rows("ledger", phone="+8613900007603") if row["type"] == "lifted"]
    assert event["actor"] == "compliance"
    (noted,) = house.admin.rows("audit", action="optout.lifted", actor="compliance")
    assert noted["via"] == "console"
    opt_out(house, "13900007604")
    api = house.admin.api(Scope.OPTOUTS_WRITE)
    api.delete("/optouts/13900007604", reason="r", actor="subscriber")
    lifts = [row for row in house.admin.rows("ledger", phone="+8613900007604") if row["type"] == "lifted"]
    assert all((api.token or "")[:12] in row["actor"] for row in lifts)


def test_no_sms_and_no_import_lifts(house: House) -> None:
    opt_out(house, "13900007605")
    for said in ("start", "1111", "TD", "cancel 0000", "退订0000"):
        house.reply(f"src=13900007605&dst=1069&msg={said}".replace(" ", "+").encode())
    answer = house.admin.api(Scope.OPTOUTS_WRITE).put("/subscriptions/13900007605/news", {})
    assert answer.status in (404, 409)
    assert house.stored.is_opted_out("+8613900007605")


LIES = [
    ("DELETE FROM optouts WHERE phone = '+8613900007606'", "not in the register"),
    ("UPDATE ledger SET actor = 'somebody else' WHERE phone = '+8613900007606'", "edited"),
    ("DELETE FROM ledger WHERE phone = '+8613900007606'", "removed"),
]


@pytest.mark.parametrize(("lie", "told"), LIES)
def test_whoever_changes_the_database_by_hand_is_found(lie: str, told: str, house: House, tmp_path: Path) -> None:
    opt_out(house, "13900007606")
    opt_out(house, "13900007607")
    url = copied(house, tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as database:
        if "ledger" in lie:
            with pytest.raises(sqlite3.DatabaseError):
                database.execute(lie)
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                database.execute(f"DROP TRIGGER {name}")
        database.execute(lie)
        database.commit()
    env = {**house.admin.server.env, "RECEIVER_DATABASE_URL": url}
    checked = run("receiver", "optouts", "verify", cwd=tmp_path, env=env)
    assert (checked.returncode, told in (checked.stdout + checked.stderr).decode()) == (1, True), checked


def copied(house: House, path: Path) -> str:
    """The URL of a copy of the database."""
    ours = sqlite3.connect(house.admin.server.database_url.partition(":///")[2])
    with closing(ours), closing(sqlite3.connect(path)) as theirs:
        ours.backup(theirs)
    return f"sqlite:///{path}"


def test_masked_phones_are_not_found_by_trying_them_all(house: House, log_in: LogIn) -> None:
    person = somebody(house.admin.store, Role.VIEWER, "curious")
    visitor = visiting(house.admin.port, house.admin.store, person)
    visitor.get("/replies")
    tries = [
        visitor.post(path, phone=f"1390001{number:04d}").status
        for number in range(32)
        for path in ("/replies/find", "/optouts/search")
    ]
    assert set(tries[:60]) <= {200, 422, 303}
    assert tries[60:] == [429] * 4
    again = visiting(house.admin.port, house.admin.store, person)
    again.get("/replies")
    shown = again.post("/replies/find", phone="13900010001")
    assert (shown.status, "You looked for many phones" in shown.words) == (429, True), (
        "another session is no way around it"
    )
    other = log_in(Role.VIEWER)
    other.get("/replies")
    assert other.post("/replies/find", phone="13900010001").status == 422

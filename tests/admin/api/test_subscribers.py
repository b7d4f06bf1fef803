"""Erasure over the API: what a subscriber wrote can't be found afterwards, by nobody and nowhere."""

import threading
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest

from receiver.access import Scope
from receiver.optout.proof_check import check
from receiver.optout.verify import verify
from tests.admin.conftest import Admin
from tests.optout.test_erasure import files, held

_numbers = iter(range(10_000))
WHY = {"reason": "asked by letter", "actor": "li"}


def fresh() -> str:
    """A phone that no other test has."""
    return f"1377777{next(_numbers):04}"


def reply(admin: Admin, phone: str, said: str) -> UUID:
    return admin.filled.reply(f"src={phone}&dst=1069&msg={quote(said)}".encode())


def test_what_a_subscriber_wrote_is_found_nowhere_any_more(admin: Admin) -> None:
    api, phone = admin.all_powerful, fresh()
    word = f"riddle{phone}".replace("1", "l")
    message = reply(admin, phone, f"the {word}")
    reply(admin, phone, f"医院 {word}")
    admin.filled.kept(f"src={phone}&msg={word}".encode())
    other = reply(admin, fresh(), "another's")
    api.post(f"/messages/{message}/redecode", {"charset": "gb18030"}).ok()
    assert len(api.get("/messages", text=word).ok()["items"]) == 2
    done = api.post(f"/subscribers/{quote(f'+86 {phone}')}/erase", WHY).ok()
    assert done == {
        "phone": f"+86{phone}",
        "messages": 2,
        "quarantined": 1,
        "recipients": 0,
        "open": 0,
        "log_emptied": done["log_emptied"],
    }
    assert api.get("/messages", text=word).ok()["items"] == api.get("/messages", src=phone).ok()["items"] == []
    for path in (f"/messages/{message}", f"/messages/{message}/readings"):
        api.get(path).problem(404)
    api.post(f"/messages/{message}/redecode", {"charset": "utf-8"}).problem(404)
    assert word.encode() not in api.get("/messages/export", format="jsonl").body
    assert held(admin.store, word) == []
    assert api.get(f"/messages/{other}").ok()["text"] == "another's"
    [noted] = admin.rows("audit", action="subscriber.erased", target=f"+86{phone}")
    assert noted["detail"] == {}
    api.post(f"/subscribers/{phone}/erase", WHY).problem(404)


def test_nothing_of_it_is_in_the_files_of_a_running_server(fresh_admin: Admin) -> None:
    api, phone = fresh_admin.all_powerful, fresh()
    for number in range(5):
        reply(fresh_admin, phone, f"riddle {number} " * 100)
    assert api.get("/messages", text="riddle").ok()["items"]
    assert api.post(f"/subscribers/{phone}/erase", WHY).ok()["log_emptied"] is True
    directory = fresh_admin.server.directory.parent
    assert not any(b"riddle" in data for data in files(directory).values())
    assert b"riddle" not in fresh_admin.log.encode()
    assert phone not in fresh_admin.log


def test_an_opt_out_stays_and_is_proven(admin: Admin) -> None:
    api, phone = admin.all_powerful, fresh()
    reply(admin, phone, "0000")
    api.post(f"/subscribers/{phone}/erase", WHY).ok()
    known = api.get(f"/optouts/{phone}").ok()
    assert known["opted_out"] is True
    opted_out, erased = known["events"]
    assert (opted_out["type"], erased["type"]) == ("opted_out", "erased")
    assert erased["actor"].startswith("li via rcv_")
    assert erased["detail"] == {"reason": "asked by letter", "messages": 1, "quarantined": 0, "recipients": 0}
    document = api.get(f"/optouts/{phone}/proof").ok()
    assert check(document).problems == ()
    assert [cause["purged"] for cause in document["causes"].values()] == [True]
    assert verify(admin.store).ok


def test_of_programs_that_ask_at_once_one_erases(admin: Admin) -> None:
    phone = fresh()
    for number in range(40):
        reply(admin, phone, f"hello {number}")
    statuses: list[int] = []
    start = threading.Barrier(4)

    def ask() -> None:
        api = admin.api(Scope.ADMIN)
        start.wait()
        statuses.append(api.post(f"/subscribers/{phone}/erase", WHY).status)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 404, 404, 404]
    assert len(admin.rows("ledger", phone=f"+86{phone}")) == 1
    assert len(admin.rows("audit", action="subscriber.erased", target=f"+86{phone}")) == 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({}, "invalid"),
        ({"reason": ""}, "invalid"),
        ({"reason": "x" * 501}, "invalid"),
        ({"reason": "   "}, "refused"),
        ({**WHY, "actor": "subscriber"}, "invalid"),
        ({**WHY, "really": True}, "invalid"),
    ],
)
def test_without_who_and_why_nothing_is_erased(body: dict[str, Any], kind: str, admin: Admin) -> None:
    phone = fresh()
    kept = reply(admin, phone, "hello")
    problem = admin.all_powerful.post(f"/subscribers/{phone}/erase", body).problem(422)
    assert problem["type"] == f"/api/problems/{kind}"
    admin.all_powerful.get(f"/messages/{kept}").ok()


@pytest.mark.parametrize("scope", [scope for scope in Scope if scope is not Scope.ADMIN])
def test_only_admins_erase(scope: Scope, admin: Admin) -> None:
    phone = fresh()
    kept = reply(admin, phone, "hello")
    admin.api(scope).post(f"/subscribers/{phone}/erase", WHY).problem(403)
    admin.all_powerful.get(f"/messages/{kept}").ok()

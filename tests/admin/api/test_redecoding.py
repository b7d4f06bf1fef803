"""Messages read again over the API: their text, kind and what follows, once however often it is asked for."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from receiver.access import Scope
from receiver.optout.verify import verify
from receiver.vocabulary import Charset, Origin, Reading, Reply, new_id
from receiver.vocabulary.ledger import timestamp
from tests.admin.client import Api
from tests.admin.conftest import Admin
from tests.filled import WINDOW

LONG_AGO = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
HOSPITAL = "医院".encode("gbk")
LATE_STOP = b"%20" * 100 + "００００".encode("gbk")
_numbers = iter(range(10_000))


def received(admin: Admin, raw: bytes, *, phone: str | None = None, dst: str = "1069") -> tuple[UUID, str]:
    """A reply that came in while the installation was set to UTF-8, and the phone that it came from."""
    phone = phone or f"1398888{next(_numbers):04}"
    said = Reading(Charset.UTF_8).delivery(phone, dst, raw)
    admin.store.record([Reply(made := new_id(), LONG_AGO, Origin.PUSH, "203.81.21.34", said)], [], WINDOW)
    return made, phone


def redecoded(api: Api, message: UUID, **body: Any) -> dict[str, Any]:
    done: dict[str, Any] = api.post(f"/messages/{message}/redecode", {"charset": "gb18030", **body}).ok()
    return done


def test_a_message_is_read_again_and_what_it_said_before_stays_known(admin: Admin) -> None:
    api = admin.all_powerful
    message, _ = received(admin, HOSPITAL)
    before = api.get(f"/messages/{message}").ok()
    done = redecoded(api, message)
    assert (done["id"], done["changed"], done["stopped"]) == (str(message), True, None)
    assert done["before"] == {name: before[name] for name in ("text", "charset", "charset_certain", "kind")}
    assert done["after"] == {"text": "医院", "charset": "gb18030", "charset_certain": True, "kind": "reply"}
    assert api.get(f"/messages/{message}").ok() == {**before, **done["after"]}
    [earlier] = api.get(f"/messages/{message}/readings").ok()["items"]
    assert {name: earlier[name] for name in done["before"]} == done["before"]
    assert "(rcv_" in earlier["actor"]
    assert timestamp(datetime.now(UTC) - timedelta(minutes=5)) < earlier["at"] <= timestamp(datetime.now(UTC))
    [noted] = admin.rows("audit", action="message.redecoded", target=str(message))
    assert noted["detail"] == {"charset": "gb18030"}
    assert redecoded(api, message)["changed"] is False
    assert len(admin.rows("audit", action="message.redecoded", target=str(message))) == 1


def test_earlier_readings_are_pages_that_hold_still(admin: Admin) -> None:
    api = admin.all_powerful
    message, _ = received(admin, HOSPITAL)
    for number in range(5):
        redecoded(api, message, charset=("gb18030", "utf-8")[number % 2])
    walked = api.walk(f"/messages/{message}/readings", limit=2)
    assert [reading["charset"] for reading in walked] == ["utf-8", "gb18030", "utf-8", "gb18030", "utf-8"]
    assert sorted((reading["at"] for reading in walked), reverse=True) == [reading["at"] for reading in walked]
    second = api.get(f"/messages/{message}/readings", limit=2, cursor=_next(api, message)).ok()
    newer = api.get(f"/messages/{message}/readings", limit=2, cursor=second["previous"]).ok()
    assert newer["items"] == walked[:2]


def _next(api: Api, message: UUID) -> str:
    cursor: str = api.get(f"/messages/{message}/readings", limit=2).ok()["next"]
    return cursor


def test_an_unsubscribe_that_nobody_saw_is_in_force_with_the_answer(admin: Admin) -> None:
    api = admin.all_powerful
    message, phone = received(admin, LATE_STOP)
    assert api.get(f"/optouts/{phone}").ok()["opted_out"] is False
    assert redecoded(api, message, dry_run=True)["after"]["kind"] == "unsubscribe"
    assert api.get(f"/optouts/{phone}").ok()["opted_out"] is False
    done = redecoded(api, message)
    assert (done["stopped"], done["after"]["kind"]) == ("opted_out", "unsubscribe")
    known = api.get(f"/optouts/{phone}").ok()
    assert (known["opted_out"], known["optout"]["since"]) == (True, timestamp(LONG_AGO))
    [event] = known["events"]
    assert (event["at"], event["message_id"]) == (timestamp(LONG_AGO), str(message))
    assert "(rcv_" in event["detail"]["redecoded_by"]
    assert [each["id"] for each in api.get("/messages", src=phone, kind="unsubscribe").ok()["items"]] == [str(message)]
    assert verify(admin.store).ok


def test_many_are_read_again_by_any_filter(admin: Admin) -> None:
    api, service = admin.all_powerful, f"1069{next(_numbers):06}"
    wrong = [received(admin, HOSPITAL, dst=service)[0] for _ in range(7)]
    stop, phone = received(admin, LATE_STOP, dst=service)
    right, _ = received(admin, b"hello", dst=service)
    elsewhere, _ = received(admin, HOSPITAL, dst="10699999")
    asked = {"charset": "gb18030", "dst": service, "limit": 4}
    dry = api.post("/messages/redecode", {**asked, "dry_run": True, "limit": 500}).ok()
    assert (dry["examined"], len(dry["items"]), dry["next"]) == (9, 8, None)
    assert api.post("/messages/redecode", {**asked, "dry_run": True, "limit": 500}).ok() == dry
    seen: list[dict[str, Any]] = []
    sizes: list[int] = []
    further: dict[str, Any] = {}
    while not sizes or further["newer_than"] is not None:
        part = api.post("/messages/redecode", {**asked, **further}).ok()
        sizes.append(part["examined"])
        seen += part["items"]
        further = {"newer_than": part["next"]}
    assert sizes == [4, 4, 1]
    assert [each["id"] for each in seen] == [str(each) for each in [*wrong, stop]]
    assert {each["after"]["text"] for each in seen[:-1]} == {"医院"}
    assert seen[-1]["stopped"] == "opted_out"
    assert api.get(f"/optouts/{phone}").ok()["opted_out"] is True
    assert {each["text"] for each in api.walk("/messages", dst=service) if each["kind"] == "reply"} == {"医院", "hello"}
    assert api.get(f"/messages/{elsewhere}").ok()["text"] != "医院"
    assert api.post("/messages/redecode", asked | {"limit": 500.0}).ok()["items"] == []
    assert len(admin.rows("audit", action="message.redecoded", target=str(stop))) == 1
    assert api.get(f"/messages/{right}/readings").ok()["items"] == []


def test_programs_that_ask_for_the_same_at_once_change_it_once(admin: Admin) -> None:
    messages = [received(admin, LATE_STOP)[0] for _ in range(6)]
    answers: list[dict[str, Any]] = []
    start = threading.Barrier(4)

    def ask(order: list[UUID]) -> None:
        api = admin.api(Scope.ADMIN)
        start.wait()
        answers.extend(redecoded(api, message) for message in order)

    threads = [threading.Thread(target=ask, args=[order]) for order in (messages, messages[::-1]) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4 * len(messages)
    assert sorted(each["id"] for each in answers if each["stopped"] == "opted_out") == sorted(map(str, messages))
    for message in messages:
        assert len(admin.rows("message_readings", message_id=message)) == 1
        assert len(admin.rows("ledger", message_id=message)) == 1
        assert len(admin.rows("audit", action="message.redecoded", target=str(message))) == 1
    assert verify(admin.store).ok


def test_what_is_not_there_or_can_not_be_read_so_is_refused(admin: Admin) -> None:
    api = admin.all_powerful
    for path in (f"/messages/{uuid4()}/redecode", "/messages/redecoded/redecode"):
        api.post(path, {"charset": "gb18030"}).problem(404)
    api.get(f"/messages/{uuid4()}/readings").problem(404)
    message, _ = received(admin, HOSPITAL)
    for path in (f"/messages/{message}/redecode", "/messages/redecode"):
        for body, field in (({}, "charset"), ({"charset": "big5"}, "charset"), ({"charset": "gbk"}, "charset")):
            problem = api.post(path, body).problem(422)
            assert [error["field"] for error in problem["errors"]] == [field]
    for more in ({"limit": 0}, {"limit": 501}, {"since": "2026-01-01T00:00:00"}, {"newer_than": "x"}, {"until": 1}):
        problem = api.post("/messages/redecode", {"charset": "auto", "all": True, **more}).problem(422)
        assert [error["field"] for error in problem["errors"]] == [next(iter(more))]
    for unsaid in ({}, {"all": False}, {"all": True, "dst": "1069"}):
        problem = api.post("/messages/redecode", {"charset": "gb18030", **unsaid}).problem(422)
        assert "`all`" in problem["detail"], "a filter that was forgotten has every message read again"
    assert api.get(f"/messages/{message}/readings").ok()["items"] == []
    every = api.post("/messages/redecode", {"charset": "gb18030", "all": True, "dry_run": True, "limit": 500}).ok()
    assert str(message) in [each["id"] for each in every["items"]]


@pytest.mark.parametrize("scope", [scope for scope in Scope if scope is not Scope.ADMIN])
def test_only_admins_have_messages_read_again(scope: Scope, admin: Admin) -> None:
    message, _ = received(admin, HOSPITAL)
    for path in (f"/messages/{message}/redecode", "/messages/redecode"):
        admin.api(scope).post(path, {"charset": "gb18030"}).problem(403)

"""Sending over the API: whoever said stop is left out, and whatever is asked again texts nobody twice."""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from receiver.access import Scope
from receiver.gateway import Gateway
from receiver.gateway.sending import Dispatcher
from receiver.gateway.simulator.gateway import Account, Fault, Kind, SimulatedGateway
from receiver.store import tables
from tests.admin.client import Api
from tests.admin.conftest import Admin, running
from tests.intake.replies import rows

ACCOUNT = Account("demo", "demo123", balance=1_000_000)


@pytest.fixture
def gateway() -> Iterator[SimulatedGateway]:
    with SimulatedGateway([ACCOUNT]) as started:
        yield started


@pytest.fixture
def sending(database_url: str, tmp_path: Path, gateway: SimulatedGateway) -> Iterator[Admin]:
    env = {"URL": gateway.url, "NAME": "demo", "PASSWORD": "demo123"}
    with running(database_url, tmp_path, {f"RECEIVER_GATEWAY_{name}": value for name, value in env.items()}) as started:
        yield started


def dispatch(admin: Admin, gateway: SimulatedGateway) -> None:
    """What a worker does."""
    dispatcher = Dispatcher(admin.store, Gateway(gateway.url, "demo", "demo123", method="post"), region="CN")
    while dispatcher.run_once():
        pass


def test_who_said_stop_is_left_out_and_what_became_of_each_is_told(sending: Admin, gateway: SimulatedGateway) -> None:
    sending.filled.reply(b"src=13900000002&dst=1069&msg=0000")
    api = sending.api(Scope.SMS_SEND)
    body = {
        "text": "明天停水",
        "phones": ["139 0000 0001", "+8613900000002", "13900000001", "12"],
        "skip_invalid": True,
    }
    dry = api.post("/sms", {**body, "dry_run": True})
    assert (dry.status, dry.ok()["id"], dry.ok()["recipients"]) == (200, None, 1)
    assert rows(sending.store, tables.sends) == []
    sent = api.post("/sms", body)
    assert sent.status == 202
    assert sent.ok()["recipients"] == 1
    assert [each["phone"] for each in sent.ok()["blocked"]] == ["+8613900000002"]
    assert [each["phone"] for each in sent.ok()["invalid"]] == ["12"]
    dispatch(sending, gateway)
    assert [each.phone for each in gateway.sent] == ["13900000001"]
    shown = api.get(f"/sends/{sent.ok()['id']}").ok()
    assert {state: count for state, count in shown["counts"].items() if count} == {"accepted": 1, "blocked": 1}
    people = api.get(f"/sends/{sent.ok()['id']}/recipients").ok()["items"]
    assert [(each["phone"], each["state"]) for each in people] == [
        ("+8613900000001", "accepted"),
        ("+8613900000002", "blocked"),
    ]
    assert [each["id"] for each in api.walk("/sends")] == [shown["id"]]
    assert {row.action for row in rows(sending.store, tables.audit)} == {"send.queued", "sends.read"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"phones": ["12"]}, "skip_invalid"), ({"text": "长" * 61}, "long"), ({"text": " "}, "empty"),
        ({"at": "2020-01-01T00:00:00Z"}, "past"), ({"hold": True}, "at"), ({"sender": "a"}, "sender"),
        ({"phones": []}, "phones"), ({"text": "x" * 241}, "text"), ({"more": 1}, "more"),
    ],
)  # fmt: skip
def test_what_can_t_be_sent_is_refused_with_the_way_out(
    admin: Admin, change: dict[str, object], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"text": "hello", "phones": ["13900000001"], "dry_run": True, **change}
    detail = admin.api(Scope.SMS_SEND).post("/sms", body).problem(422)["detail"]
    assert says in detail
    assert "--" not in detail


def test_without_a_gateway_it_is_said_what_to_set(fresh_admin: Admin) -> None:
    api = fresh_admin.api(Scope.SMS_SEND)
    body = {"text": "hello", "phones": ["13900000001"]}
    assert "RECEIVER_GATEWAY_NAME" in api.post("/sms", body).problem(422)["detail"]
    assert rows(fresh_admin.store, tables.sends) == []


def test_the_same_key_is_the_same_send_and_another_body_is_refused(sending: Admin, gateway: SimulatedGateway) -> None:
    api = sending.api(Scope.SMS_SEND)
    body = {"text": "hello", "phones": ["13900000001", "13900000003"]}

    def send(_: int = 0, phones: object = None) -> object:
        asked = body if phones is None else {**body, "phones": phones}
        return api.request("POST", "/sms", asked, headers={"Idempotency-Key": "order-1"})

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(send, range(12)))
    assert {answer.status for answer in answers} == {202}  # type: ignore[attr-defined]
    assert len({answer.body for answer in answers}) == 1  # type: ignore[attr-defined]
    dispatch(sending, gateway)
    assert send().status == 202  # type: ignore[attr-defined]
    dispatch(sending, gateway)
    assert Counter(each.phone for each in gateway.sent) == {"13900000001": 1, "13900000003": 1}
    refused = send(phones=["13900000009"]).problem(422)  # type: ignore[attr-defined]
    assert refused["type"].endswith("/idempotency-key-reused")
    # Another program's key of the same name is its own.
    other = sending.api(Scope.SMS_SEND)
    other.request("POST", "/sms", {**body, "phones": ["13900000009"]}, headers={"Idempotency-Key": "order-1"}).ok()
    api.request("POST", "/sms", body, headers={"Idempotency-Key": "a b"}).problem(422)


def test_whatever_is_cut_off_and_asked_again_texts_nobody_twice(sending: Admin, gateway: SimulatedGateway) -> None:
    dice = random.Random(11)
    api = sending.api(Scope.SMS_SEND)
    for number in range(6):
        body = {"text": f"hello {number}", "phones": [f"1391111{number:04d}"]}
        headers = {"Idempotency-Key": f"send-{number}"}
        for _ in range(2):
            # The answer is not waited for; now and then the server dies.
            with api.open("POST", "/sms", body, headers=headers):
                pass
            if dice.random() < 0.4:
                sending.server.kill9()
                sending.server.start()
        api.request("POST", "/sms", body, headers=headers).ok()
        dispatch(sending, gateway)
    assert Counter(each.phone for each in gateway.sent) == {f"1391111{number:04d}": 1 for number in range(6)}


def test_the_gateway_s_refusals_and_silences_are_told(sending: Admin, gateway: SimulatedGateway) -> None:
    api: Api = sending.api(Scope.SMS_SEND)
    assert api.get("/gateway/balance").ok()["amount"] == 1_000_000
    assert api.post("/sms/check", {"text": "hello"}).ok()["allowed"] is True
    assert api.post("/sms/check", {"text": "买代开发票"}).ok()["code"] == 6005
    refused = api.post("/sms", {"text": "买代开发票", "phones": ["13900000001"], "check_content": True}).problem(422)
    assert "6005" in refused["detail"]
    assert rows(sending.store, tables.sends) == []
    gateway.faults = [Fault(Kind.ERROR_500, every=1)]
    assert "not known" in api.get("/gateway/balance").problem(502)["detail"]


def test_what_is_queued_can_be_cancelled_and_what_is_in_doubt_settled(
    sending: Admin, gateway: SimulatedGateway
) -> None:
    api = sending.api(Scope.SMS_SEND)
    first = api.post("/sms", {"text": "hello", "phones": ["13900000001", "13900000004"]}).ok()["id"]
    assert api.post(f"/sends/{first}/cancel", {"reason": "a slip"}).ok() == {"people": 2}
    assert api.get(f"/sends/{first}").ok()["ended_at"] is not None
    dispatch(sending, gateway)
    assert gateway.sent == []
    second = api.post("/sms", {"text": "hello", "phones": ["13900000001"]}).ok()["id"]
    gateway.faults = [Fault(Kind.RESET, every=1)]
    with pytest.raises(Exception, match=r"lost|answer|cut"):
        dispatch(sending, gateway)
    api.post(f"/sends/{first}/settle", {"found": "sent", "reason": "x"}).problem(409)
    assert [each["id"] for each in api.walk("/sends", in_doubt=True)] == [second]
    settled = {"found": "sent", "reason": "the log has it", "phones": ["+86 139-0000-0001"]}
    assert api.post(f"/sends/{second}/settle", settled).ok() == {"people": 1}
    assert api.get(f"/sends/{second}").ok()["counts"]["accepted"] == 1
    for path in ("", "/recipients"):
        api.get(f"/sends/01973a5e-7d1c-7b3a-9c11-2f0c8f9a4d21{path}").problem(404)
    api.post("/sends/01973a5e-7d1c-7b3a-9c11-2f0c8f9a4d21/cancel", {"reason": "x"}).problem(404)

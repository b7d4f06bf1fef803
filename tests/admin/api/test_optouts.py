"""The register over the API: whoever said stop is known in any written form, and nothing changes without its event."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from receiver.access import Scope
from receiver.intake.spool import Limits, Spool
from receiver.optout.proof_check import check
from receiver.store import optouts, services
from receiver.vocabulary.register import Source
from tests.admin.conftest import Admin
from tests.intake.replies import reply, verified_ledger

_numbers = iter(range(10_000, 99_999))


def fresh() -> str:
    """A phone that no other test has: eleven digits."""
    return f"139777{next(_numbers):05d}"


def forms(phone: str) -> list[str]:
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in phone)
    spaced = f"{phone[:3]} {phone[3:7]} {phone[7:]}"
    return [phone, f"+86{phone}", f"0086{phone}", f"+86 {spaced}", spaced.replace(" ", "-"), wide, f"(+86) {spaced}"]


def test_a_phone_is_opted_out_once_and_found_in_every_written_form(admin: Admin) -> None:
    api, phone = admin.api(Scope.OPTOUTS_WRITE, Scope.OPTOUTS_READ), fresh()
    before = api.get(f"/optouts/{phone}").ok()
    assert (before["opted_out"], before["optout"], before["events"]) == (False, None, [])
    for number, form in enumerate(forms(phone)):
        answer = api.put(f"/optouts/{quote(form, safe='')}", {"reason": "by phone", "actor": "li"})
        assert answer.status == (200 if number else 201)
        assert answer.ok()["phone"] == f"+86{phone}"
        assert api.get(f"/optouts/{quote(form, safe='')}").ok()["opted_out"] is True
    known = api.get(f"/optouts/{phone}").ok()
    assert [event["type"] for event in known["events"]] == ["opted_out", *["repeated"] * (len(forms(phone)) - 1)]
    assert known["optout"]["source"] == "api"
    assert known["optout"]["actor"].startswith("li via rcv_")
    asked = api.post("/optouts/check", {"phones": [*forms(phone), "13999999999", "12"]}).ok()
    assert {each["phone"] for each in asked["blocked"]} == set(forms(phone))
    assert {each["identity"] for each in asked["blocked"]} == {f"+86{phone}"}
    assert asked["allowed"] == [{"phone": "13999999999", "identity": "+8613999999999"}]
    assert asked["invalid"] == ["12"]
    noted = admin.rows("audit", action="optout.added", target=f"+86{phone}")
    assert len(noted) == len(forms(phone))


def test_while_a_stop_waits_in_the_spool_nobody_is_allowed(admin: Admin) -> None:
    api, stopped, waiting = admin.api(Scope.OPTOUTS_WRITE, Scope.OPTOUTS_READ), fresh(), fresh()
    api.put(f"/optouts/{stopped}", {"reason": "by phone"}).ok()
    spool = Spool(admin.server.data_dir, Limits.of_megabytes(10, 0))
    spool.keep([reply("0000", src=f"+86{waiting}")])
    spool.seal()
    (path,) = spool.waiting()
    try:
        for why, detail in (
            ("replies-waiting", "1 reply waits in this machine's spool, and an unsubscribe may be among them"),
            ("replies-damaged", "1 damaged file lies in this machine's spool, and an unsubscribe may be among them"),
        ):
            asked = api.post("/optouts/check", {"phones": [stopped, waiting, "12"]}).ok()
            assert [each["phone"] for each in asked["blocked"]] == [stopped]
            assert asked["allowed"] == []
            assert asked["held"] == [{"phone": waiting, "identity": f"+86{waiting}"}]
            assert asked["invalid"] == ["12"]
            assert asked["hold"] == {"reason": why, "count": 1, "detail": detail}
            path = path.rename(path.with_suffix(".damaged"))
    finally:
        path.unlink()
    asked = api.post("/optouts/check", {"phones": [waiting]}).ok()
    assert asked["allowed"] == [{"phone": waiting, "identity": f"+86{waiting}"}]
    assert (asked["held"], asked["hold"]) == ([], None)


def test_a_lift_needs_a_reason_and_is_part_of_the_history(admin: Admin) -> None:
    api, phone = admin.api(Scope.OPTOUTS_WRITE, Scope.OPTOUTS_READ), fresh()
    api.delete(f"/optouts/{phone}", reason="asked").problem(404)
    api.put(f"/optouts/{phone}", {"reason": "by phone"}).ok()
    assert [each["field"] for each in api.delete(f"/optouts/{phone}").problem(422)["errors"]] == ["reason"]
    api.delete(f"/optouts/{phone}", reason="asked", actor="subscriber").problem(422)
    assert api.delete(f"/optouts/+86{phone}", reason="asked for it in writing").status == 204
    known = api.get(f"/optouts/{phone}").ok()
    assert known["opted_out"] is False
    assert [event["type"] for event in known["events"]] == ["opted_out", "lifted"]
    assert known["events"][-1]["detail"] == {"reason": "asked for it in writing"}
    api.delete(f"/optouts/{phone}", reason="again").problem(404)
    assert len(admin.rows("audit", action="optout.lifted")) >= 1


def test_of_two_lifts_at_once_one_finds_nothing_and_of_two_additions_one_is_new(admin: Admin) -> None:
    api = admin.api(Scope.OPTOUTS_WRITE)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            phone = fresh()
            added = list(pool.map(lambda _, p=phone: api.put(f"/optouts/{p}", {"reason": "x"}).status, range(4)))
            assert sorted(added) == [200, 200, 200, 201]
            lifted = list(pool.map(lambda _, p=phone: api.delete(f"/optouts/{p}", reason="x").status, range(4)))
            assert sorted(lifted) == [204, 404, 404, 404]
    verified_ledger(admin.store)


@pytest.mark.parametrize(
    "wrong", [{}, {"reason": ""}, {"reason": "x" * 501}, {"reason": "x", "more": 1}, {"reason": 1}]
)
def test_a_wish_without_a_usable_reason_is_refused(admin: Admin, wrong: dict[str, object]) -> None:
    admin.api(Scope.OPTOUTS_WRITE).put(f"/optouts/{fresh()}", wrong).problem(422)


def test_what_is_no_phone_can_t_be_opted_out(admin: Admin) -> None:
    assert "phone" in admin.api(Scope.OPTOUTS_WRITE).put("/optouts/12", {"reason": "x"}).problem(422)["detail"]


def test_a_proof_holds_in_every_form(admin: Admin) -> None:
    api, phone = admin.api(Scope.OPTOUTS_WRITE, Scope.OPTOUTS_READ), fresh()
    api.get(f"/optouts/{phone}/proof").problem(404)
    admin.filled.reply(f"src={phone}&dst=1069&msg=0000".encode())
    document = api.get(f"/optouts/{phone}/proof").ok()
    assert check(document).holds
    assert document["phone"] == f"+86{phone}"
    assert document["state"]["opted_out"] is True
    page = api.get(f"/optouts/{phone}/proof", format="html")
    assert page.headers.get_content_type() == "text/html"
    assert document["head"]["hash"] in page.body.decode()
    assert api.get(f"/optouts/{phone}/proof", format="pdf").body.startswith(b"%PDF-")
    assert len(admin.rows("audit", action="proof.made", target=f"+86{phone}")) == 3


def test_pages_skip_and_repeat_nothing_though_moments_are_the_same_and_others_come_and_go(admin: Admin) -> None:
    api, dice = admin.api(Scope.OPTOUTS_READ), random.Random(4)
    moment = datetime(2001, 1, 1, tzinfo=UTC)
    mine = [f"+86{fresh()}" for _ in range(30)]

    def put(phones: list[str]) -> None:
        with admin.store.writing() as transaction:
            stops = [
                optouts.Stop(phone, moment + timedelta(seconds=dice.randrange(3)), Source.IMPORT, "test", "x")
                for phone in phones
            ]
            optouts.opt_out(transaction, stops)

    put(mine)
    query = {"since": "2001-01-01T00:00:00Z", "until": "2001-01-01T00:00:03Z", "limit": 4}
    seen, cursor = [], None
    while True:
        page = api.get("/optouts", **query, cursor=cursor).ok()
        seen += [row["phone"] for row in page["items"]]
        put([f"+86{fresh()}"])
        if page["next"] is None:
            break
        cursor = page["next"]
    assert len(set(seen)) == len(seen)
    assert set(mine) <= set(seen)
    back = page["previous"]
    ahead: list[str] = []
    while back:
        page = api.get("/optouts", **query, cursor=back).ok()
        ahead = [*(row["phone"] for row in page["items"]), *ahead]
        back = page["previous"]
    assert set(mine) <= {*ahead, *seen[-4:]}
    assert (
        api.get("/optouts", source="sms", since="2001-01-01T00:00:00Z", until="2001-01-01T00:00:03Z").ok()["items"]
        == []
    )
    assert admin.rows("audit", action="optouts.read")


def test_subscriptions_are_given_and_ended_but_not_to_who_is_opted_out(admin: Admin) -> None:
    api, phone = admin.api(Scope.OPTOUTS_WRITE, Scope.OPTOUTS_READ), fresh()
    with admin.store.writing() as transaction:
        services.add(transaction, "news", "News", datetime.now(UTC))
    path = f"/subscriptions/{phone}/news"
    api.get(path).problem(404)
    api.put(f"/subscriptions/{phone}/none", {}).problem(404)
    assert api.put(path, {}).status == 201
    assert api.put(path, {"since": "2026-01-01T00:00:00Z"}).status == 200
    assert api.get(path).ok()["cancelled_at"] is None
    assert [row["service"] for row in api.walk("/subscriptions", phone=f"+86 {phone}")] == ["news"]
    assert api.delete(path, reason="by phone").status == 204
    assert api.delete(path, reason="by phone").status == 204
    api.get(path).problem(404)
    assert len(api.walk("/subscriptions", phone=phone, all=True, limit=1)) == 1
    api.put(path, {}).ok()
    api.put(f"/optouts/{phone}", {"reason": "x"}).ok()
    assert api.put(path, {}).problem(409)["type"].endswith("/opted-out")
    assert api.get(f"/optouts/{phone}").ok()["subscriptions"][0]["cancelled_at"] is not None
    events = [event["type"] for event in api.get(f"/optouts/{phone}").ok()["events"]]
    assert events == ["service_cancelled", "opted_out", "service_cancelled"]

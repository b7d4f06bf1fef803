"""Services and quarantine over the API: whose a number is, and what was not accepted."""

from base64 import b64decode
from datetime import timedelta

from receiver.access import Scope
from tests.admin.conftest import Admin
from tests.intake.replies import quarantined

KNOWN = {"name": "每日新闻", "numbers": ["106900001"], "prefixes": ["10690002"]}


def test_a_service_is_added_changed_and_removed(admin: Admin) -> None:
    api = admin.all_powerful
    assert api.put("/services/daily", KNOWN).status == 201
    shown = api.put("/services/daily", {**KNOWN, "name": "新闻", "numbers": []})
    assert (shown.status, shown.ok()["name"], shown.ok()["numbers"]) == (200, "新闻", [])
    assert shown.ok()["prefixes"] == ["10690002"]
    assert "10690002 belongs to daily" in api.put("/services/other", KNOWN).problem(409)["detail"]
    api.get("/services/other").problem(404)
    assert api.get("/services").ok()["items"][0]["code"] == "daily"
    assert api.get("/services", limit=1, after="daily").ok() == {"items": [], "next": None}
    for wrong in ({"name": ""}, {"name": "x", "numbers": ["1a"]}, {"name": "a\nb"}):
        api.put("/services/wrong", wrong).problem(422)
    api.put("/services/a b", {"name": "x"}).problem(422)
    assert api.delete("/services/daily").status == 204
    api.delete("/services/daily").problem(404)
    assert [row["action"] for row in admin.rows("audit", target="daily")] == [
        *["service.changed"] * 2,
        "service.removed",
    ]


def test_a_service_that_somebody_had_stays(admin: Admin) -> None:
    api = admin.all_powerful
    api.put("/services/kept", {"name": "Kept"}).ok()
    api.put("/subscriptions/13977700001/kept", {}).ok()
    assert api.get("/services/kept").ok()["subscribers"] == 1
    assert "history" in api.delete("/services/kept").problem(409)["detail"]


def test_what_was_not_accepted_is_listed_and_shown_with_its_bytes(admin: Admin) -> None:
    kept = [quarantined() for _ in range(5)]
    admin.store.record([], kept, timedelta(0))
    api = admin.api(Scope.MESSAGES_READ)
    listed = api.walk("/quarantine", limit=2, reason="missing-dst")
    assert {each["id"] for each in listed} >= {str(each.id) for each in kept}
    shown = api.get(f"/quarantine/{kept[0].id}").ok()
    assert b64decode(shown["raw"]) == kept[0].undeliverable.raw
    assert api.get("/quarantine", replayed=True).ok()["items"] == []
    api.get("/quarantine/01973a5e-7d1c-7b3a-9c11-2f0c8f9a4d21").problem(404)
    assert api.get("/refusals").ok() == {"items": []}

"""The audit over the API: found by what, who, to what, with which key, when; and never changed."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from receiver.access import Act, Action
from receiver.access.audit import Via
from tests.admin.conftest import Admin


def test_it_is_found_by_every_filter(fresh_admin: Admin) -> None:
    api = fresh_admin.all_powerful
    made = api.post("/keys", {"name": "crm", "scopes": ["sms:send"]}).ok()
    between = datetime.now(UTC)
    api.delete(f"/keys/{made['id']}").ok()
    Act(Action.KEY_CREATED, "li", Via.CLI, "by hand", {"scopes": []}).record(fresh_admin.store)
    (caller,) = fresh_admin.rows("api_keys", name="test")

    def found(**query: object) -> list[str]:
        return [act["target"] for act in api.walk("/audit", **query)]

    assert found() == ["by hand", made["id"], "crm"]
    assert found(action="key.created") == ["by hand", "crm"]
    assert found(actor="li") == ["by hand"]
    assert found(actor=f"test ({caller['prefix']})", action="key.revoked") == [made["id"]]
    assert found(target="crm") == ["crm"]
    assert found(key_id=caller["id"]) == [made["id"], "crm"]
    assert found(since=between.isoformat()) == ["by hand", made["id"]]
    assert found(until=between.isoformat()) == ["crm"]
    assert found(since=(between + timedelta(days=1)).isoformat()) == []
    assert found(limit=1) == found()


def test_an_act_tells_who_what_when_and_from_where(fresh_admin: Admin) -> None:
    before = datetime.now(UTC)
    fresh_admin.all_powerful.post("/keys", {"name": "crm", "scopes": ["sms:send"]}).ok()
    (act,) = fresh_admin.all_powerful.get("/audit").ok()["items"]
    (caller,) = fresh_admin.rows("api_keys", name="test")
    assert before <= datetime.fromisoformat(act.pop("at")) <= datetime.now(UTC)
    act.pop("id")
    assert act == {
        "action": "key.created",
        "actor": f"test ({caller['prefix']})",
        "via": "api",
        "target": "crm",
        "detail": {"scopes": ["sms:send"]},
        "key_id": str(caller["id"]),
        "peer": "127.0.0.1",
    }


def test_nobody_writes_or_takes_away_an_act_over_the_api(admin: Admin) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        admin.all_powerful.request(method, "/audit").problem(405)


def test_a_change_that_fails_leaves_no_act_and_an_act_that_can_not_be_written_no_change(fresh_admin: Admin) -> None:
    api = fresh_admin.all_powerful
    api.post("/keys", {"name": "never", "scopes": ["admin"], "expires_at": "2020-01-01T00:00:00Z"}).problem(422)
    assert fresh_admin.rows("audit") == []
    with fresh_admin.store.writing() as transaction:
        transaction.execute(text("ALTER TABLE audit RENAME TO audit_gone"))
    api.post("/keys", {"name": "unaudited", "scopes": ["admin"]}).problem(503)
    assert fresh_admin.rows("api_keys", name="unaudited") == []

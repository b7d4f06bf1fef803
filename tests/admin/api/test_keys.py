"""Keys over the API: made once, shown once, listed without their secret, revoked for good."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from receiver.access import Scope
from tests.admin.client import Api
from tests.admin.conftest import Admin


def test_a_key_made_over_the_api_opens_what_its_scopes_allow(admin: Admin) -> None:
    answer = admin.all_powerful.post("/keys", {"name": "crm", "scopes": ["messages:read"]})
    assert answer.status == 201
    made = answer.ok()
    assert made["token"].startswith(made["prefix"] + "_")
    crm = Api(admin.port, made["token"])
    crm.get("/messages").ok()
    crm.get("/keys").problem(403)
    assert made["scopes"] == ["messages:read"]
    assert (made["state"], made["expires_at"], made["revoked_at"]) == ("active", None, None)


def test_a_token_is_shown_once_and_kept_nowhere(admin: Admin) -> None:
    made = admin.all_powerful.post("/keys", {"name": "once", "scopes": ["sms:send"]}).ok()
    secret = made["token"].removeprefix(made["prefix"] + "_")
    looked = admin.all_powerful.get(f"/keys/{made['id']}")
    assert looked.ok() == {name: value for name, value in made.items() if name != "token"}
    assert secret.encode() not in admin.all_powerful.get("/keys").body
    assert all(secret not in str(dict(row)) for table in ("api_keys", "audit") for row in admin.rows(table))
    assert secret not in admin.log


def test_a_revoked_key_opens_nothing_from_the_answer_on(admin: Admin) -> None:
    made = admin.all_powerful.post("/keys", {"name": "leaver", "scopes": ["messages:read"]}).ok()
    leaver = Api(admin.port, made["token"])
    leaver.get("/messages").ok()
    revoked = admin.all_powerful.delete(f"/keys/{made['id']}").ok()
    assert revoked["state"] == "revoked"
    assert "revoked" in leaver.get("/messages").problem(401)["detail"]
    # The same again changes nothing.
    assert admin.all_powerful.delete(f"/keys/{made['id']}").ok() == revoked
    assert "was revoked" in admin.all_powerful.get(f"/keys/{made['id']}").problem(404)["detail"]
    assert revoked in admin.all_powerful.walk("/keys")


def test_an_expired_key_says_so_to_whoever_holds_it(admin: Admin) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    made = admin.keys.create("brief", [Scope.ADMIN], actor="tests", expires_at=soon)
    brief = Api(admin.port, made.token)
    while (answer := brief.get("/keys")).status == 200:
        assert datetime.now(UTC) < soon + timedelta(seconds=30)
    assert "expired" in answer.problem(401)["detail"]
    assert admin.all_powerful.get(f"/keys/{made.key.id}").ok()["state"] == "expired"


def test_its_last_use_is_known(admin: Admin) -> None:
    made = admin.key(Scope.MESSAGES_READ, name="used")
    before = datetime.now(UTC)
    assert admin.all_powerful.get(f"/keys/{made.key.id}").ok()["last_used_at"] is None
    Api(admin.port, made.token).get("/messages").ok()
    used = admin.all_powerful.get(f"/keys/{made.key.id}").ok()["last_used_at"]
    assert before <= datetime.fromisoformat(used) <= datetime.now(UTC)


def test_making_and_revoking_are_in_the_audit(admin: Admin) -> None:
    made = admin.all_powerful.post("/keys", {"name": "audited", "scopes": ["admin", "sms:send"]}).ok()
    admin.all_powerful.delete(f"/keys/{made['id']}").ok()
    created, *_ = admin.all_powerful.get("/audit", target="audited").ok()["items"]
    assert created["action"] == "key.created"
    assert created["detail"] == {"scopes": ["admin", "sms:send"]}
    assert (created["via"], created["peer"]) == ("api", "127.0.0.1")
    revoked = admin.all_powerful.get("/audit", target=made["id"]).ok()["items"]
    assert [act["action"] for act in revoked] == ["key.revoked"]


def test_what_no_key_can_be_made_of_names_its_field(admin: Admin) -> None:
    api = admin.all_powerful
    for body, field in (
        ({"scopes": ["admin"]}, "name"),
        ({"name": "", "scopes": ["admin"]}, "name"),
        ({"name": "x" * 61, "scopes": ["admin"]}, "name"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["messages:write"]}, "scopes.0"),
        ({"name": "x", "scopes": ["admin"], "expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ({"name": "x", "scopes": ["admin"], "expires": "1y"}, "expires"),
    ):
        problem = api.post("/keys", body).problem(422)
        assert problem["type"] == "/api/problems/invalid"
        assert [error["field"] for error in problem["errors"]] == [field]
    for body in (
        {"name": "two\nlines", "scopes": ["admin"]},
        {"name": "late", "scopes": ["admin"], "expires_at": "2020-01-01T00:00:00Z"},
    ):
        assert api.post("/keys", body).problem(422)["type"] == "/api/problems/refused"


def test_a_key_that_is_not_there_is_not_found(admin: Admin) -> None:
    for call in (admin.all_powerful.get, admin.all_powerful.delete):
        assert call(f"/keys/{uuid4()}").problem(404)["type"] == "/api/problems/not-found"
        call("/keys/no-uuid").problem(404)

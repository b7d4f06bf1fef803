"""Who may do what: every route, with every scope, and with every kind of key that is none."""

from datetime import UTC, datetime, timedelta

import pytest

from receiver.access import Scope
from receiver.access.scopes import allows
from receiver.admin.api.routes import PREFIX, Routes
from tests.admin.api.every_route import ROUTES, Route, app, routes_of
from tests.admin.client import Answer, Api
from tests.admin.conftest import Admin

GUARDED = [route for route in ROUTES if not route.is_public]
PUBLIC = {f"GET {PREFIX}/openapi.json"}


def without_scope(routes: list[Route]) -> list[str]:
    """The routes that anybody could be meant to use: those that name no scope."""
    return [str(route) for route in routes if route.scope is None and str(route) not in PUBLIC]


def test_every_route_names_the_scope_that_it_needs() -> None:
    assert len(GUARDED) >= 7
    assert without_scope(ROUTES) == []
    assert {str(route) for route in ROUTES if route.is_public} == PUBLIC


def test_a_route_that_names_none_would_be_found_and_opens_to_nobody() -> None:
    made = app()
    made.add_url_rule(f"{PREFIX}/forgotten", view_func=lambda: "everything", endpoint="forgotten")
    assert without_scope(routes_of(made, {"paths": {}})) == [f"GET {PREFIX}/forgotten"]


def test_a_route_can_not_be_registered_without_a_scope() -> None:
    with pytest.raises(TypeError, match="scope"):
        Routes("Bare", "Without.").get("/bare", answers={200: None})(lambda: "")


@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_only_keys_with_its_scope_pass(route: Route, admin: Admin) -> None:
    assert route.scope is not None
    for scope in Scope:
        answer = call(route, admin.api(scope))
        if allows([scope], route.scope):
            assert answer not in (401, 403), (route, scope)
        else:
            assert answer == 403, (route, scope)
    others = [scope for scope in Scope if not allows([scope], route.scope)]
    if others:
        assert call(route, admin.api(*others)) == 403


@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_what_is_no_key_passes_nowhere(route: Route, admin: Admin) -> None:
    revoked = admin.key(Scope.ADMIN)
    admin.keys.revoke(revoked.key.id, actor="tests")
    expired = admin.keys.create(
        "brief", [Scope.ADMIN], actor="tests", expires_at=datetime.now(UTC) + timedelta(milliseconds=10)
    )
    good = admin.key(Scope.ADMIN)
    other_secret = good.token[:-4] + ("AAAA" if not good.token.endswith("AAAA") else "BBBB")
    tokens = {
        "none": None,
        "empty": "",
        "malformed": "secret",
        "unknown": f"rcv_00000000_{'x' * 43}",
        "a prefix alone": good.key.prefix,
        "another secret": other_secret,
        "longer": good.token + "x",
        "revoked": revoked.token,
        "expired": expired.token,
    }
    while datetime.now(UTC) <= (expired.key.expires_at or datetime.now(UTC)):
        pass
    for kind, token in tokens.items():
        answer = request(route, Api(admin.port, token))
        problem = answer.problem(401)
        assert problem["type"] == "/api/problems/unauthorized", kind
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="receiver"', kind
        assert token is None or len(token) < 20 or token not in answer.body.decode()


def test_a_key_counts_as_a_bearer_token_alone(admin: Admin) -> None:
    token = admin.key(Scope.ADMIN).token
    without = Api(admin.port)
    for header in (f"Basic {token}", f"bearer{token}", token, f"Token {token}", f"Bearer {token} x", "Bearer"):
        without.request("GET", "/keys", headers={"Authorization": header}).problem(401)
    without.request("GET", "/keys", headers={"X-Api-Key": token}).problem(401)
    without.get("/keys", key=token, token=token, access_token=token).problem(401)
    assert without.request("GET", "/keys", headers={"Authorization": f"bearer {token}"}).status == 200
    assert token not in admin.log


def test_what_is_not_there_tells_nothing_more_without_a_key(admin: Admin) -> None:
    admin.api().get("/nowhere").problem(404)
    admin.api().put("/keys").problem(405)


def call(route: Route, api: Api) -> int:
    """The status, of an answer whose body is not waited for: some go on for ever."""
    with api.open(route.method, route.path(), route.body, headers=_headers(route)) as response:
        return response.status


def request(route: Route, api: Api) -> Answer:
    return api.request(route.method, route.path(), route.body, headers=_headers(route))


def _headers(route: Route) -> dict[str, str]:
    return {} if route.media is None else {"Content-Type": route.media}

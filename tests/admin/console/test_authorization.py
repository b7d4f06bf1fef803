"""Who may see and do what: every page, for every role and for nobody."""

from collections.abc import Callable, Iterator, Set

import pytest

from receiver.access.roles import PERMISSIONS, Permission, Role
from receiver.admin.console.routes import Pages, Who
from tests.admin.api.every_route import app
from tests.admin.conftest import Admin, database, running
from tests.admin.console.conftest import LogIn
from tests.admin.console.every_page import PAGES, Registered, pages_of
from tests.admin.console.visitor import Visitor

V, O, C, A = Role  # noqa: E741
ALL, MEMBERS = {None, V, O, C, A}, {V, O, C, A}
# Written down by hand, so that a page which is opened to more people by mistake is noticed here.
TABLE: dict[str, Set[Role | None]] = {
    "GET /": MEMBERS,
    "POST /test-reply": {O, A},
    "GET /account": MEMBERS,
    "POST /account/password": MEMBERS,
    "GET /account/second-factor": MEMBERS,
    "POST /account/second-factor": MEMBERS,
    "POST /account/second-factor/off": MEMBERS,
    "GET /account/second-factor/codes": MEMBERS,
    "POST /account/second-factor/codes": MEMBERS,
    "POST /account/sessions/<uuid:session_id>/end": MEMBERS,
    "POST /account/sessions/end": MEMBERS,
    "POST /account/zone": MEMBERS,
    "GET /audit": {C, A},
    "GET /exports/<uuid:export_id>": {O, C, A},
    "GET /gateway": MEMBERS,
    "GET /gateway/balance": MEMBERS,
    "POST /gateway/password": {A},
    "GET /health": MEMBERS,
    "GET /healthz": ALL,
    "GET /keys": {A},
    "POST /keys": {A},
    "GET /keys/<uuid:key_id>": {A},
    "GET /keys/<uuid:key_id>/made": {A},
    "POST /keys/<uuid:key_id>/revoke": {A},
    "GET /login": ALL,
    "POST /login": ALL,
    "POST /logout": MEMBERS,
    "GET /optouts": MEMBERS,
    "POST /optouts/search": MEMBERS,
    "GET /optouts/add": {C, A},
    "POST /optouts/add": {C, A},
    "GET /optouts/import": {C, A},
    "POST /optouts/import": {C, A},
    "POST /optouts/import/apply": {C, A},
    "POST /optouts/export": {O, C, A},
    "GET /optouts/ledger": {C, A},
    "POST /optouts/ledger": {C, A},
    "GET /optouts/<int:event>": MEMBERS,
    "POST /optouts/<int:event>/lift": {C, A},
    "GET /optouts/<int:event>/proof": {C, A},
    "GET /optouts/<int:event>/proof/<form>": {C, A},
    "GET /quarantine": MEMBERS,
    "POST /quarantine/replay": {O, A},
    "GET /quarantine/<uuid:delivery>": MEMBERS,
    "POST /quarantine/<uuid:delivery>/replay": {O, A},
    "GET /services": MEMBERS,
    "POST /services": {A},
    "GET /services/<code>": MEMBERS,
    "POST /services/<code>": {A},
    "POST /services/<code>/remove": {A},
    "GET /people": {A},
    "POST /people": {A},
    "GET /people/<uuid:person_id>": {A},
    "POST /people/<uuid:person_id>/disable": {A},
    "POST /people/<uuid:person_id>/enable": {A},
    "GET /people/<uuid:person_id>/link": {A},
    "POST /people/<uuid:person_id>/link": {A},
    "POST /people/<uuid:person_id>/role": {A},
    "POST /preferences": ALL,
    "GET /readyz": ALL,
    "GET /sends": MEMBERS,
    "GET /sends/<uuid:send_id>": MEMBERS,
    "POST /sends/<uuid:send_id>/cancel": {O, A},
    "POST /sends/<uuid:send_id>/settle": {O, A},
    "GET /sends/new": {O, A},
    "POST /sends/new": {O, A},
    "POST /sends/new/edit": {O, A},
    "POST /sends/new/preview": {O, A},
    "GET /replies": MEMBERS,
    "GET /replies/<uuid:message_id>": MEMBERS,
    "GET /replies/<uuid:message_id>/conversation": MEMBERS,
    "POST /replies/<uuid:message_id>/redecode": {O, A},
    "POST /replies/export": {O, C, A},
    "POST /replies/find": MEMBERS,
    "GET /replies/live": MEMBERS,
    "GET /welcome/<token>": ALL,
    "POST /welcome/<token>": ALL,
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def admin(
    request: pytest.FixtureRequest, server_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Admin]:
    """Once on each engine: so every page has been asked for on both."""
    directory = tmp_path_factory.mktemp("console")
    with database(request.param, server_url, directory) as url, running(url, directory) as started:
        yield started


def unguarded(pages: list[Registered]) -> list[str]:
    """Pages that were registered without saying for whom."""
    return [str(page) for page in pages if page.needs is None]


def test_every_page_says_for_whom_it_is() -> None:
    assert unguarded(PAGES) == []


def test_the_table_has_every_page() -> None:
    assert {str(page) for page in PAGES} == set(TABLE)


def test_a_page_that_does_not_say_it_is_found_and_opens_to_nobody() -> None:
    made = app()
    made.add_url_rule("/forgotten", view_func=lambda: "everything", endpoint="forgotten")
    assert unguarded(pages_of(made)) == ["GET /forgotten"]
    assert made.test_client().get("/forgotten").status_code == 403


def test_a_page_can_not_be_registered_without_saying_it() -> None:
    with pytest.raises(TypeError, match="needs"):
        Pages("bare").get("/bare")  # type: ignore[call-arg]


@pytest.mark.parametrize("registered", PAGES, ids=str)
def test_each_role_may_what_the_table_says(registered: Registered, admin: Admin, log_in: LogIn) -> None:
    for role in (None, *Role):
        visitor = Visitor(admin.port) if role is None else log_in(role)
        visitor.get("/login" if role is None else "/account")
        answer = visitor.get(registered.path) if registered.method == "GET" else visitor.post(registered.path)
        if role in TABLE[str(registered)]:
            assert answer.status not in (401, 403), (registered, role)
            assert not answer.headers.get("Location", "").startswith("/login?next"), (registered, role)
        elif role is None:
            assert (answer.status, answer.headers["Location"].partition("?")[0]) == (303, "/login"), registered
        else:
            assert answer.status == 403, (registered, role)


@pytest.mark.parametrize("registered", [page for page in PAGES if page.method == "POST"], ids=str)
def test_no_form_is_taken_that_we_did_not_show(registered: Registered, admin: Admin, log_in: LogIn) -> None:
    others = log_in(Role.VIEWER)
    others.get("/account")
    for visitor in (log_in(Role.ADMIN), *([Visitor(admin.port)] if registered.needs is Who.ANYBODY else [])):
        for word in ("", "x", others._csrf):
            assert visitor.post(registered.path, csrf=word).status == 400, registered


def test_each_permission_that_a_page_needs_is_somebodys() -> None:
    needed = {page.needs for page in PAGES if isinstance(page.needs, Permission)}
    assert all(any(permission in PERMISSIONS[role] for role in Role) for permission in needed)

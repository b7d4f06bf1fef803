"""``receiver users``: accounts and their links from the command line."""

import pytest
from pyotp import TOTP

from receiver.access.people import People
from receiver.access.roles import Role
from receiver.access.second_factor import new_secret
from tests.cli.conftest import Filled, Run, on_terminal

PASSWORD = "a fine long secret"


def token_of(link: str) -> str:
    assert link.startswith("http://127.0.0.1:8001/welcome/")
    return link.rpartition("/")[2]


def test_an_account_begins_with_a_link_that_is_shown_once(filled: Filled, run: Run) -> None:
    (made,) = run("users", "create", "Li", "--role", "operator", "--actor", "wang").rows
    assert (made["name"], made["role"]) == ("Li", "operator")
    (listed,) = run("users", "list").rows
    assert (listed["name"], listed["state"], listed["created_by"]) == ("Li", "invited", "wang")
    assert token_of(made["link"]) not in str(listed)
    (again,) = run("users", "link", "li").rows
    people = People(filled.store)
    assert people.accept(token_of(again["link"]), PASSWORD).role is Role.OPERATOR
    assert run("users", "list").rows[0]["state"] == "active"


def test_a_link_on_a_narrow_terminal_can_be_copied_in_one_piece(sqlite: Filled) -> None:
    shown = on_terminal(["users", "create", "li", "--role", "operator", "--actor", "wang"], columns=50).out
    (link,) = [word for word in shown.split() if "/welcome/" in word]
    assert People(sqlite.store).accept(token_of(link), PASSWORD).name == "li"


def test_the_first_admin_is_made_by_asking_for_the_admins_link(filled: Filled, run: Run) -> None:
    (made,) = run("users", "link", "admin").rows
    People(filled.store).accept(token_of(made["link"]), PASSWORD)
    assert [(row["name"], row["role"], row["state"]) for row in run("users", "list").rows] == [
        ("admin", "admin", "active")
    ]
    assert run("users", "link", "nobody").status == 1


def test_roles_are_changed_and_people_shut_out_but_an_admin_remains(filled: Filled, run: Run) -> None:
    (made,) = run("users", "link", "admin").rows
    People(filled.store).accept(token_of(made["link"]), PASSWORD)
    run("users", "create", "li", "--role", "viewer", "--actor", "wang")
    assert run("users", "role", "li", "compliance").status == 0
    assert run("users", "disable", "li").status == 0
    assert [(row["role"], row["state"]) for row in run("users", "list", "--after", "Admin").rows] == [
        ("compliance", "disabled")
    ]
    assert run("users", "enable", "li").status == 0
    for arguments in (("role", "admin", "viewer"), ("disable", "admin")):
        refused = run("users", *arguments)
        assert (refused.status, "must stay an admin" in refused.err) == (1, True)


def test_a_lost_second_factor_is_reset_and_the_password_stays(filled: Filled, run: Run) -> None:
    people = People(filled.store)
    person = people.accept(people.invite("li", Role.VIEWER, actor="test").token, PASSWORD)
    secret = new_secret()
    people.second_factor.enable(person, secret, TOTP(secret).now())
    assert run("users", "list").rows[0]["second_factor"] is True
    assert run("users", "reset-second-factor", "LI").status == 0
    assert not people.log_in("li", PASSWORD, None, "127.0.0.1").has_totp
    again = run("users", "reset-second-factor", "li")
    assert (again.status, "no second factor" in again.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("create", "li", "--role", "king", "--actor", "wang"), 2, "king"),
        (("create", " ", "--role", "viewer", "--actor", "wang"), 1, "write a name"),
        (("role", "nobody", "viewer"), 1, "nobody has this name"),
    ],
)
def test_what_can_not_be_done_is_said(
    arguments: tuple[str, ...], status: int, says: str, filled: Filled, run: Run
) -> None:
    ran = run("users", *arguments)
    assert (ran.status, says in ran.err) == (status, True)

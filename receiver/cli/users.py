"""``receiver users``: who may use the console, and the links that let them in."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from receiver.access import Action
from receiver.access.errors import AccessError
from receiver.access.people import Invitation, People
from receiver.access.person import Person
from receiver.access.roles import Role
from receiver.config import Settings

from .acts import own_act, sender_option
from .database import opened, settings
from .options import limit_option
from .output import Column, Format, details, format_option, hint, render

_STYLES = {"disabled": "dim", "invited": "yellow"}
_FIRST = "admin"

_COLUMNS = (
    Column("name", "name", widest=True),
    Column("role", "role", fixed=True),
    Column("state", "state", style=lambda state: _STYLES.get(state, "green")),
    Column("second_factor", "second factor", fixed=True),
    Column("last_login_at", "last login (UTC+8)", fixed=True),
    Column("created_at", "made (UTC+8)", fixed=True),
    Column("created_by", "by"),
    Column("id"),
)
_LINK = (
    Column("name", "name", fixed=True),
    Column("role", "role", fixed=True),
    Column("link", "link", fixed=True),
    Column("expires_at", "ends (UTC+8)", fixed=True),
)


@click.group("users")
def command() -> None:
    """Who may use the console, as what: viewer, operator, compliance or admin.

    Nobody has a password from the start: each sets it by a link that works once.

    \b
    Examples:
      receiver users create li --role operator
      receiver users link li
      receiver users reset-second-factor li
      receiver users list
    """


@command.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice([str(each) for each in Role]), required=True, help="What they may do.")
@sender_option
@format_option
def create(name: str, role: str, actor: str, chosen_format: Format) -> None:
    """Make an account for NAME, and print the link that sets its password."""
    chosen = settings()
    with opened(chosen) as store:
        try:
            act = own_act(Action.PERSON_INVITED, name, role=role)
            invitation = People(store).invite(name, Role(role), actor=actor, act=act)
        except AccessError as refused:
            raise click.ClickException(str(refused)) from None
    _print_link(invitation, chosen, chosen_format)


@command.command("link")
@click.argument("name")
@format_option
def link(name: str, chosen_format: Format) -> None:
    """Print another link for NAME: for who forgot the password.

    Using it sets a new password, turns the second factor off, and ends every session. Earlier links end now. While
    nobody can log in, "receiver users link admin" makes the first admin.
    """
    chosen = settings()
    with opened(chosen) as store:
        people = People(store)
        try:
            first = people.first_admin() if name.strip().lower() == _FIRST else None
            invitation = first or people.invite_again(name, act=own_act(Action.PERSON_LINKED, name))
        except AccessError as refused:
            raise click.ClickException(f'{refused}: see "receiver users list"') from None
    _print_link(invitation, chosen, chosen_format)


@command.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice([str(each) for each in Role]))
def role(name: str, role: str) -> None:
    """Give NAME another ROLE, from their next click on."""
    with opened(settings()) as store:
        _change(People(store), name, Action.PERSON_CHANGED, role=Role(role))


@command.command("disable")
@click.argument("name")
def disable(name: str) -> None:
    """Shut NAME out: every session ends, and no login is taken. What they did stays in the audit."""
    with opened(settings()) as store:
        _change(People(store), name, Action.PERSON_DISABLED, disabled_at=datetime.now(UTC))


@command.command("enable")
@click.argument("name")
def enable(name: str) -> None:
    """Let NAME log in again."""
    with opened(settings()) as store:
        _change(People(store), name, Action.PERSON_ENABLED, disabled_at=None)


@command.command("reset-second-factor")
@click.argument("name")
def reset_second_factor(name: str) -> None:
    """Ask NAME for no code any more: for who lost the device and the recovery codes, and knows the password."""
    with opened(settings()) as store:
        people = People(store)
        try:
            person = people.get(name)
            people.second_factor.reset(person, act=own_act(Action.SECOND_FACTOR_DISABLED, person.name))
        except AccessError as refused:
            raise click.ClickException(str(refused)) from None


@command.command("list")
@limit_option
@click.option("--after", metavar="NAME", help="Continue behind this name, the last one of the page before.")
@format_option
def list_(limit: int, after: str | None, chosen_format: Format) -> None:
    """List accounts by name: what each may, and when they last logged in."""
    with opened(settings()) as store:
        found = People(store).page(after=after, limit=limit + 1)
    render([_row(person) for person in found[:limit]], _COLUMNS, chosen_format)
    if len(found) > limit:
        hint(f"There are more. Continue with: --after '{found[limit - 1].name}'")


def link_of(invitation: Invitation, chosen: Settings) -> str:
    """Where whoever was invited sets the password, as seen from this machine."""
    return f"{chosen.admin_url_here}/welcome/{invitation.token}"


def _change(people: People, name: str, action: Action, **values: Any) -> None:
    try:
        person = people.get(name)
        told = {key: value for key, value in values.items() if key == "role"}
        people.change(person, act=own_act(action, person.name, **told), **values)
    except AccessError as refused:
        raise click.ClickException(str(refused)) from None


def _print_link(invitation: Invitation, chosen: Settings, chosen_format: Format) -> None:
    person = invitation.person
    row = {
        "name": person.name,
        "role": person.role,
        "link": link_of(invitation, chosen),
        "expires_at": invitation.expires_at,
    }
    details(row, _LINK, chosen_format)
    hint("Whoever opens it first sets the password. From another machine, its host and port are others.")


def _row(person: Person) -> Mapping[str, Any]:
    state = "disabled" if person.disabled_at else "active" if person.has_password else "invited"
    return {
        "name": person.name,
        "role": person.role,
        "state": state,
        "second_factor": person.has_totp,
        "last_login_at": person.last_login_at,
        "created_at": person.created_at,
        "created_by": person.created_by,
        "id": person.id,
    }

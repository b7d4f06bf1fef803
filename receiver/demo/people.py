"""Who works at the invented enterprise, and the links that let somebody try the console as one of them."""

import secrets
from datetime import UTC, datetime
from typing import NamedTuple

from receiver.access.people import Invitation, People
from receiver.access.roles import Role
from receiver.store.store import Store


class Colleague(NamedTuple):
    name: str
    role: Role


ADMIN, OPERATOR, COMPLIANCE, VIEWER = (
    Colleague("admin", Role.ADMIN),
    Colleague("li.na", Role.OPERATOR),
    Colleague("chen.jing", Role.COMPLIANCE),
    Colleague("zhao.lei", Role.VIEWER),
)
PEOPLE = (ADMIN, OPERATOR, COMPLIANCE, VIEWER)
_OTHERS = (Colleague("sun.hao", Role.OPERATOR), Colleague("he.qiang", Role.OPERATOR))


def hire(store: Store, at: datetime) -> None:
    """Make their accounts; who has been there since has a password that nobody knows. One of them has left."""
    people = People(store, lambda: at)
    for colleague in (*PEOPLE, *_OTHERS):
        invitation = people.invite(colleague.name, colleague.role, actor=ADMIN.name)
        if colleague in (ADMIN, OPERATOR, COMPLIANCE):
            people.accept(invitation.token, secrets.token_urlsafe(24))
    people.change(people.get(_OTHERS[-1].name), disabled_at=datetime.now(UTC))


def links(store: Store) -> list[Invitation]:
    """A link for one of each role, as ``receiver users link`` makes it: whoever opens it first sets the password."""
    people = People(store)
    return [people.invite_again(colleague.name) for colleague in PEOPLE]

"""Who asks for the page that is answered now."""

from flask import g, request

from receiver.access import Act, Action
from receiver.access.audit import Via
from receiver.access.person import Person
from receiver.access.sessions import Session

from ..parts import parts
from ..peer import peer
from . import cookies


def session() -> Session | None:
    """The session of this request, looked up once; None of somebody who is not logged in. Raises StoreError."""
    if "session" not in g:
        cookie = request.cookies.get(cookies.SESSION)
        g.session = parts().sessions.of(cookie) if cookie else None
    held: Session | None = g.session
    return held


def logged_in() -> Session:
    """The session of a request that the gate let pass because there is one."""
    held = session()
    assert held is not None
    return held


def person() -> Person:
    """Who is logged in."""
    return logged_in().person


def act(action: Action, target: str | None = None, **detail: object) -> Act:
    """What this request does, for the audit."""
    return Act(action, person().name, Via.CONSOLE, target, detail, peer=peer())

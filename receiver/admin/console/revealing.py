"""Phones shown whole: to who may, asks for it in the page's address, and is noted for it before."""

from flask import request

from receiver.access import Action
from receiver.access.roles import Permission

from ..parts import parts
from .visitor import act, person

PARAMETER = "reveal"


def reveals(action: Action) -> bool:
    """Whether this page shows phones whole; the audit says so by now, once for the hour. Raises StoreError."""
    if not _is_asked():
        return False
    act(action).reveal(parts().store)
    return True


def is_revealed(action: Action, target: str) -> bool:
    """Whether this page shows one subscriber's phone whole; the audit says whose by now. Raises StoreError."""
    if not _is_asked():
        return False
    act(action, target).record(parts().store)
    return True


def _is_asked() -> bool:
    return request.args.get(PARAMETER) == "1" and person().may(Permission.REVEAL)

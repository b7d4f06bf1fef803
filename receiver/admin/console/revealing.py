"""Phones shown whole: to who may, asks for it in the page's address, and is noted for it before."""

from flask import request

from receiver.access import Action
from receiver.access.roles import Permission

from ..parts import parts
from .visitor import act, person

PARAMETER = "reveal"


def reveals(action: Action) -> bool:
    """Whether this page shows phones whole; the audit says so by now. Raises StoreError."""
    if request.args.get(PARAMETER) != "1" or not person().may(Permission.REVEAL):
        return False
    act(action).reveal(parts().store)
    return True

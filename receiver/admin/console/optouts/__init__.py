"""The opt-out register: who said stop, changed by people, in lists, and proven."""

from . import lists, proofs, register, subscriber
from .pages import pages

__all__ = ["lists", "pages", "proofs", "register", "subscriber"]

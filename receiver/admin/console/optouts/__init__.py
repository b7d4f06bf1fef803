"""The opt-out register: who said stop, changed by people, and proven."""

from . import proofs, register, subscriber
from .pages import pages

__all__ = ["pages", "proofs", "register", "subscriber"]

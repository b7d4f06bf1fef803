"""Replies as people read them: the list as it comes in, one reply with its bytes, and a subscriber's conversation."""

from . import conversation, listed, live, one
from .pages import pages

__all__ = ["conversation", "listed", "live", "one", "pages"]

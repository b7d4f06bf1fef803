"""``receiver messages``: the replies that came in."""

from .group import command

__all__ = ["command"]

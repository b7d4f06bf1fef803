"""``receiver optouts``: who said stop."""

from .group import command

__all__ = ["command"]

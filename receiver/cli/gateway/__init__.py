"""``receiver gateway``: what the enterprise asks of its SMS gateway."""

from .group import command

__all__ = ["command"]

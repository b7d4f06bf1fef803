"""``receiver simulate``: plays the gateway, to try an installation out and to test it under load."""

from .group import command

__all__ = ["command"]

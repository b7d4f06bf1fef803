"""Sends in the console: written, looked at before anything is stored, followed, settled and cancelled."""

from . import compose, follow
from .pages import pages

__all__ = ["compose", "follow", "pages"]

"""Plays the gateway against a receiver: replies pushed one by one or in numbers, in every form seen on the wire."""

from .load import Account, Audit, Load
from .push import Push
from .target import Target
from .wire import Encoding, Unencodable

__all__ = ["Account", "Audit", "Encoding", "Load", "Push", "Target", "Unencodable"]

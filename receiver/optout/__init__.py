"""Who said stop: the register, the guard that everything sent must pass, and the proof of both."""

from .guard import GuardUnavailable, Verdict, blocked
from .register import NotOptedOut, Register

__all__ = ["GuardUnavailable", "NotOptedOut", "Register", "Verdict", "blocked"]

"""Pulling replies from the gateway (protocol.md §5): one poller an account, and none lost that reached us."""

from .answer import Answer
from .drain import Became, Drain
from .errors import CannotSpool, CannotStore, PollingError
from .poller import APART, SLACK, Poller, Turn, Wait, lease_seconds
from .says import read_again
from .spool import Spool

# A task's name holds no more than 100 characters.
_LONGEST_ACCOUNT = 90


def task_name(account: str) -> str:
    """The name of the lease that makes one poller of all that pull this account's replies."""
    return f"poll:{account[:_LONGEST_ACCOUNT]}"


__all__ = [
    "APART",
    "SLACK",
    "Answer",
    "Became",
    "CannotSpool",
    "CannotStore",
    "Drain",
    "Poller",
    "PollingError",
    "Spool",
    "Turn",
    "Wait",
    "lease_seconds",
    "read_again",
    "task_name",
]

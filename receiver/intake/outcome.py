"""What became of something given to intake; the callback turns it into an answer."""

from enum import Enum, auto


class Outcome(Enum):
    STORED = auto()
    """Committed: durable, and in force where it is an unsubscribe."""
    QUARANTINED = auto()
    """The database refused it as a reply; its bytes are in quarantine, committed."""
    UNAVAILABLE = auto()
    """Not stored, or not known to be: the database failed, took too long, or too many are waiting."""

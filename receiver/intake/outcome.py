"""What became of something given to intake; the callback turns it into an answer."""

from enum import Enum, auto


class Outcome(Enum):
    STORED = auto()
    """Durable: committed, and in force where it is an unsubscribe; or in the spool, which holds up every send."""
    QUARANTINED = auto()
    """The database refused it as a reply; its bytes are in quarantine, committed."""
    UNAVAILABLE = auto()
    """Not stored, or not known to be: the database failed or took too long."""
    BUSY = auto()
    """Not stored: too many are waiting, or this process ends."""
    REFUSED = auto()
    """Not stored: the database works, and takes it in no form."""

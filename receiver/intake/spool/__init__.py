"""The spool of pushed replies: on this machine's disk while the database can't be used, and from there into it."""

from receiver.config import Settings

from .aside import Piece, phone_of, pieces
from .draining import CannotStore, Drained, Draining
from .folder import Full, Limits, Spool, Status
from .hold import Hold, HoldReason, hold
from .line import Corrupt, Spooled, is_stop, item_of, line_of

__all__ = [
    "CannotStore",
    "Corrupt",
    "Drained",
    "Draining",
    "Full",
    "Hold",
    "HoldReason",
    "Limits",
    "Piece",
    "Spool",
    "Spooled",
    "Status",
    "hold",
    "is_stop",
    "item_of",
    "line_of",
    "phone_of",
    "pieces",
    "spool_of",
]  # fmt: skip


def spool_of(settings: Settings) -> Spool:
    """The spool of this machine, as the settings say."""
    return Spool(settings.data_dir, Limits.of_megabytes(settings.spool_max_mb, settings.spool_min_free_mb))

"""Why nobody may be texted from this machine now: what waits in its spool may say stop, and the register can't know it.

Whoever asks the register looks here before: what is stored between the two is then seen by the second.
"""

from dataclasses import dataclass
from enum import StrEnum

from .folder import Spool
from .line import BEGIN

# Bytes of a spool that are read to count what is in it; of a larger one it is said without a number.
_COUNTED = 64 << 20


class HoldReason(StrEnum):
    WAITING = "replies-waiting"
    DAMAGED = "replies-damaged"
    UNREADABLE = "spool-unreadable"


@dataclass(frozen=True, slots=True)
class Hold:
    """Why, and how much: of replies that wait, or files that are damaged; None where that can't be said."""

    why: HoldReason
    count: int | None = None

    def __str__(self) -> str:
        if self.why is HoldReason.UNREADABLE:
            return "this machine's spool can't be looked into, and an unsubscribe may be in it"
        if self.why is HoldReason.DAMAGED:
            what = "1 damaged file lies" if self.count == 1 else f"{self.count:,} damaged files lie"
        elif self.count is None:
            what = "replies wait"
        else:
            what = "1 reply waits" if self.count == 1 else f"{self.count:,} replies wait"
        return f"{what} in this machine's spool, and an unsubscribe may be among them"


def hold(spool: Spool) -> Hold | None:
    """Why nobody may be texted now; None where the register knows all that was acknowledged on this machine."""
    try:
        if not spool.is_empty():
            return Hold(HoldReason.WAITING, _counted(spool))
        damaged = spool.damaged()
    except OSError:
        return Hold(HoldReason.UNREADABLE)
    return Hold(HoldReason.DAMAGED, len(damaged)) if damaged else None


def _counted(spool: Spool) -> int | None:
    if spool.look().size > _COUNTED:
        return None
    count = 0
    for path in spool.waiting():
        try:
            count += path.read_bytes().count(BEGIN)
        except FileNotFoundError:
            continue  # emptied meanwhile
        except OSError:
            return None
    return count or None

"""An invented enterprise: a week of its replies, sends and opt-outs, put into an empty database by the real rules."""

from .fill import Occupied, fill, tell
from .life import GATEWAY_ADDRESSES, balance_left
from .people import links
from .words import LIVE

__all__ = ["GATEWAY_ADDRESSES", "LIVE", "Occupied", "balance_left", "fill", "links", "tell"]

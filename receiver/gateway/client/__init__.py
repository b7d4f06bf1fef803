"""The gateway's calls as a typed library that stands alone (protocol.md §2 to §7)."""

from . import refusals
from .answers import Balance, ContentVerdict, Fetched, PulledReply, SendAnswer
from .codes import Concern, Meaning, meaning_of
from .errors import GatewayError, InDoubt, NotSent, NotTaken, Refusal, Unreadable, Unsendable
from .gateway import Gateway
from .line import Line
from .reply import parse_reply

__all__ = [
    "Balance",
    "Concern",
    "ContentVerdict",
    "Fetched",
    "Gateway",
    "GatewayError",
    "InDoubt",
    "Line",
    "Meaning",
    "NotSent",
    "NotTaken",
    "PulledReply",
    "Refusal",
    "SendAnswer",
    "Unreadable",
    "Unsendable",
    "meaning_of",
    "parse_reply",
    "refusals",
]

"""Everything between us and the gateway: our calls to it, and its stand-in."""

from .client import (
    Balance,
    Concern,
    ContentVerdict,
    Gateway,
    GatewayError,
    InDoubt,
    Meaning,
    NotSent,
    PulledReply,
    Refusal,
    SendAnswer,
    Unreadable,
    Unsendable,
    meaning_of,
    parse_reply,
    refusals,
)

__all__ = [
    "Balance",
    "Concern",
    "ContentVerdict",
    "Gateway",
    "GatewayError",
    "InDoubt",
    "Meaning",
    "NotSent",
    "PulledReply",
    "Refusal",
    "SendAnswer",
    "Unreadable",
    "Unsendable",
    "meaning_of",
    "parse_reply",
    "refusals",
]

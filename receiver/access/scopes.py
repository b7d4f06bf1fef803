"""What a key may do: a short list, so that people can choose rightly."""

from collections.abc import Iterable
from enum import StrEnum


class Scope(StrEnum):
    """One permission. ``ADMIN`` includes all others."""

    MESSAGES_READ = "messages:read"
    OPTOUTS_READ = "optouts:read"
    OPTOUTS_WRITE = "optouts:write"
    SMS_SEND = "sms:send"
    METRICS_READ = "metrics:read"
    ADMIN = "admin"


MEANINGS = {
    Scope.MESSAGES_READ: "read, search and export replies, with phones whole",
    Scope.OPTOUTS_READ: "ask who is opted out, read histories, subscriptions and proofs",
    Scope.OPTOUTS_WRITE: "add and lift opt-outs, add and cancel subscriptions",
    Scope.SMS_SEND: "send through the guard, and see what became of sends",
    Scope.METRICS_READ: "read the metrics for monitoring, which name nobody",
    Scope.ADMIN: "all of these, and keys, services, quarantine, re-decoding, erasure, and the audit",
}


def allows(held: Iterable[Scope], wanted: Scope) -> bool:
    """Whether a key with the scopes ``held`` may do what needs ``wanted``."""
    return not {wanted, Scope.ADMIN}.isdisjoint(held)

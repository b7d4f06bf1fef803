"""The tables, as migrations make them: one definition that every statement is written with."""

from .access import api_keys, audit, invitations, login_failures, people, recovery_codes, sessions
from .columns import UtcDateTime, metadata, utc_text
from .derived import acknowledged, counts_state, message_counts, search_buckets, search_state, tasks
from .register import ledger, ledger_head, optouts, service_numbers, services, staged_subscriptions, subscriptions
from .replies import message_readings, messages, pulled_replies, quarantine, refusals
from .sending import idempotency_keys, send_batches, send_recipients, sends

__all__ = [
    "UtcDateTime",
    "acknowledged",
    "api_keys",
    "audit",
    "counts_state",
    "idempotency_keys",
    "invitations",
    "ledger",
    "ledger_head",
    "login_failures",
    "message_counts",
    "message_readings",
    "messages",
    "metadata",
    "optouts",
    "people",
    "pulled_replies",
    "quarantine",
    "recovery_codes",
    "refusals",
    "search_buckets",
    "search_state",
    "send_batches",
    "send_recipients",
    "sends",
    "service_numbers",
    "services",
    "sessions",
    "staged_subscriptions",
    "subscriptions",
    "tasks",
    "utc_text",
]

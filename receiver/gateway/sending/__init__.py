"""Guarded sending: nobody who said stop is texted, nobody twice, and what became of each is known or in doubt."""

from .dispatch import Dispatcher
from .enqueue import Enqueued, Sending, Unknown
from .expire import expire
from .once import Key, KeyReused, send_once
from .recipients import Invalid, Problem, Recipient
from .request import InvalidPhones, Plan, SendRequest, named
from .rules import Inadmissible, Rule
from .settle import Found, NoSuchSend, cancel, settle

__all__ = [
    "Dispatcher",
    "Enqueued",
    "Found",
    "Inadmissible",
    "Invalid",
    "InvalidPhones",
    "Key",
    "KeyReused",
    "NoSuchSend",
    "Plan",
    "Problem",
    "Recipient",
    "Rule",
    "SendRequest",
    "Sending",
    "Unknown",
    "cancel",
    "expire",
    "named",
    "send_once",
    "settle",
]

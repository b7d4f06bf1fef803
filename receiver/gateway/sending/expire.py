"""Batches whose process died with them: in doubt, whoever finds them, and never sent again by us."""

import logging

from receiver.store import send_batches
from receiver.store.store import Store

from .retrying import written
from .rules import Clock, now

DIED = "the process that sent it ended, or lost the database, before it recorded the gateway's answer"

_log = logging.getLogger(__name__)


def expire(store: Store, *, clock: Clock = now) -> int:
    """Put batches in doubt that have no answer though their lease has run out; how many. Raises StoreError."""
    moment = clock()
    with store.reading() as connection:
        # No write transaction where there is nothing to do: on SQLite that would hold up replies.
        if not send_batches.lost(connection, moment):
            return 0
    lost = written(store, lambda connection: send_batches.expire(connection, moment, DIED))
    _log.warning("%d batches were left without a recorded answer: they are in doubt", lost)
    return lost

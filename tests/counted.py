"""What the workers count behind the receiver's back: waited for, to see that nothing is left out or counted twice."""

import contextlib
import time

from sqlalchemy import func, select

from receiver.store.store import Store
from receiver.store.tables import message_counts, messages

_WITHIN = 60.0


def wait_until_counted(database_url: str) -> None:
    """Until every message is counted, none of them twice. A worker must run."""
    deadline = time.monotonic() + _WITHIN
    with contextlib.closing(Store(database_url, pooled=False)) as store:
        while True:
            with store.reading() as connection:
                stored = connection.scalar(select(func.count()).select_from(messages))
                counted = connection.scalar(select(func.sum(message_counts.c.replies + message_counts.c.unsubscribes)))
            if stored == counted:
                return
            assert time.monotonic() < deadline, (stored, counted)
            time.sleep(0.1)

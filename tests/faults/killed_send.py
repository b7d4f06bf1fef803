"""``receiver …`` in a process that is killed or frozen at a step of its sending.

python -m tests.faults.killed_send kill after-commit 3 -- gateway send …
"""

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from receiver import cli
from receiver.gateway import Line
from receiver.gateway.sending import dispatch
from receiver.store.store import Store

BEFORE_COMMIT, AFTER_COMMIT = "before-commit", "after-commit"
BEFORE_CALL, IN_CALL, AFTER_CALL = "before-call", "in-call", "after-call"
# For the frozen process: what it may be held up.
START_WITHIN = timedelta(seconds=1)
# Seconds into a call that the gateway takes longer for.
INTO_THE_CALL = 0.3


def main(how: str, step: str, number: int) -> None:
    """Run the command line; the ``number``-th time that ``step`` is reached, strike."""
    reached: Counter[str] = Counter()
    by = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP}[how]
    if how == "freeze":
        dispatch.START_WITHIN = START_WITHIN

    def reach(this: str) -> None:
        reached[this] += 1
        if (this, reached[this]) != (step, number):
            return
        if this == IN_CALL:
            threading.Timer(INTO_THE_CALL, os.kill, [os.getpid(), by]).start()
        else:
            os.kill(os.getpid(), by)

    _watch(reach)
    cli.main()


def _watch(reach: Any) -> None:
    writing, send = Store.writing, Line.send

    @contextmanager
    def watched_writing(store: Store) -> Iterator[Any]:
        with writing(store) as connection:
            yield connection
            reach(BEFORE_COMMIT)
        reach(AFTER_COMMIT)

    def watched_send(line: Line, *phones: Any, **given: Any) -> Any:
        reach(BEFORE_CALL)
        reach(IN_CALL)
        answer = send(line, *phones, **given)
        reach(AFTER_CALL)
        return answer

    Store.writing = watched_writing  # type: ignore[method-assign, assignment]
    Line.send = watched_send  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    how, step, number, _, *arguments = sys.argv[1:]
    sys.argv = ["receiver", *arguments]
    main(how, step, int(number))

"""A worker: its tasks and chores side by side, each in a thread, until it is told to stop."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from receiver.store.store import Store

from .lease import Leases
from .runner import ChoreRunner, Outage, TaskRunner
from .task import Chore, Task

_log = logging.getLogger(__name__)

_WATCH_SECONDS = 0.1


class Worker:
    """Runs ``tasks``, shared with every other worker on the database, and ``chores`` of this machine.

    ``drain`` is how many seconds what runs may take to end.
    """

    def __init__(self, store: Store, tasks: Sequence[Task], chores: Sequence[Chore] = (), *, drain: float) -> None:
        self._asked_to_stop = False
        self._drain = drain
        self._stop = threading.Event()
        leases, outage = Leases(store), Outage()
        self._runners: list[TaskRunner | ChoreRunner] = [
            *(TaskRunner(task, leases, outage, self._stop.wait) for task in tasks),
            *(ChoreRunner(chore, self._stop.wait) for chore in chores),
        ]

    def stop(self) -> None:
        """Have it end: what runs finishes, nothing new begins. Safe in a signal's handler."""
        # And no Event: its lock may be held by the very code that the signal has interrupted.
        self._asked_to_stop = True

    def run(self) -> bool:
        """Work until ``stop``; whether all that ran has ended. What has not is left to its lease."""
        threads = {runner.name: _thread(runner.name, runner.run) for runner in self._runners}
        _log.info("working: %s", ", ".join(threads))
        while not self._asked_to_stop:
            time.sleep(_WATCH_SECONDS)
            for runner in self._runners:
                runner.watch()
        self._stop.set()
        deadline = time.monotonic() + self._drain
        for thread in threads.values():
            thread.join(max(0.0, deadline - time.monotonic()))
        left = [name for name, thread in threads.items() if thread.is_alive()]
        if left:
            _log.error("not ended in %.0f s: %s", self._drain, ", ".join(left))
        return not left


def _thread(name: str, run: Callable[[], None]) -> threading.Thread:
    # A daemon: one that is stuck can't keep the process from ending.
    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread

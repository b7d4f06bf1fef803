"""The worker role: what is to be done besides receiving, shared by any number of workers on any number of machines."""

import signal
from collections.abc import Callable

from receiver import tally
from receiver.config import Settings
from receiver.observability import configure_logging
from receiver.store.store import Store

from .roster import Parts, chores, tasks
from .worker import Worker


def work(settings: Settings, *, begun: Callable[[Store], object] = lambda _store: None) -> bool:
    """Run the worker role in this process until SIGTERM or Ctrl-C; whether all that ran has ended.

    ``begun`` gets the database that it works on, before it does.
    """
    configure_logging(settings.log_format, settings.log_level, role="worker")
    tally.begin()
    tally.PROCESSES.of().add()
    store = Store(settings.url)
    begun(store)
    parts = Parts.of(settings, store)
    worker = Worker(store, tasks(parts), chores(parts), drain=settings.worker_drain)
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: worker.stop())
    ended = worker.run()
    if ended:
        parts.intake.close()
        store.close()
    return ended


__all__ = ["Parts", "work"]

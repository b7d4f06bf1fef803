"""All metrics of a role, as Prometheus reads them."""

import logging
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from receiver import build
from receiver.config import Settings
from receiver.observability import place_of
from receiver.store.store import Store
from receiver.tally import Role

from .family import Family
from .machine import machine
from .reachable import Reachable
from .tallied import tallied

_log = logging.getLogger(__name__)

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4
BUILD = Family("receiver_build_info", "1, of this version and commit", tuple(Role), ("version", "commit"))
WAITING_LIMIT = Family("receiver_waiting_limit", "How many replies may wait, in all processes", (Role.CALLBACK,))

Source = Callable[[], Iterable[Metric]]


class Scrape(Collector):
    """What several sources say. One that fails is left out, and said in the log."""

    def __init__(self, role: Role, *sources: Source) -> None:
        self._sources: tuple[Source, ...] = (lambda: tallied(role), *sources, _build)

    def text(self) -> bytes:
        """What they say now."""
        return generate_latest(self)

    def collect(self) -> Iterator[Metric]:
        """The same as ``prometheus_client`` has it, each metric once."""
        by_name: dict[str, Metric] = {}
        for source in self._sources:
            try:
                for metric in source():
                    known = by_name.setdefault(metric.name, metric)
                    if known is not metric:
                        known.samples.extend(metric.samples)
            except Exception as failure:
                _log.error("a part of the metrics fails: %s in %s", type(failure).__name__, place_of(failure))
        yield from by_name.values()


def of_callback(settings: Settings, store: Store) -> Scrape:
    """What a callback tells."""

    def limit() -> Iterator[Metric]:
        yield WAITING_LIMIT.is_(settings.max_waiting * settings.callback_processes)

    return Scrape(Role.CALLBACK, lambda: machine(settings), limit, Reachable(store))


def of_admin(settings: Settings, store: Store) -> Scrape:
    """What the admin role tells: of the database too."""
    # Imported where they are used: a process that receives has no use for them.
    from .database import Database
    from .pulled import pulled

    return Scrape(Role.ADMIN, lambda: machine(settings), lambda: pulled(settings), Database(settings, store))


def of_worker(settings: Settings, store: Store) -> Scrape:
    """What a worker tells."""
    from .pulled import pulled

    return Scrape(Role.WORKER, lambda: machine(settings), lambda: pulled(settings), Reachable(store))


def _build() -> Iterator[Metric]:
    yield BUILD.is_(1, build.VERSION, build.commit())

"""The worker role, with what it counts told at WORKER_METRICS_BIND."""

from receiver import worker
from receiver.config import Settings
from receiver.store.store import Store


def work(settings: Settings) -> bool:
    """As ``receiver.worker.work``."""

    def begun(store: Store) -> None:
        if settings.worker_metrics_bind is not None:
            from .listener import listening, tell
            from .scrape import of_worker

            tell(listening(settings.worker_metrics_bind), lambda: of_worker(settings, store))

    return worker.work(settings, begun=begun)

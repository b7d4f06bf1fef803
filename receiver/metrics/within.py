"""A question that must not be waited for: whoever asks goes on without the answer after a while."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from receiver.observability import place_of
from receiver.store.errors import StoreError

_log = logging.getLogger(__name__)

# Seconds for the database. Prometheus waits for ten in all.
PATIENCE = 4.0
Answer = TypeVar("Answer")


class Within(Generic[Answer]):
    """``ask`` in a thread, waited for so many ``seconds``. At most one question is under way, whoever asks."""

    def __init__(self, ask: Callable[[], Answer], seconds: float) -> None:
        self._ask, self._seconds = ask, seconds
        self._lock = threading.Lock()
        self._asked: Future[Answer | None] | None = None

    def answer(self) -> Answer | None:
        """None where the database does not say it, or not in time."""
        with self._lock:
            if self._asked is None:
                self._asked = Future()
                threading.Thread(target=self._run, args=(self._asked,), name="metrics", daemon=True).start()
            asked = self._asked
        try:
            return asked.result(self._seconds)
        except TimeoutError:
            return None

    def _run(self, asked: "Future[Answer | None]") -> None:
        found: Answer | None = None
        try:
            found = self._ask()
        except StoreError as failure:
            _log.warning("metrics can't be read from the database: %s", failure)
        except Exception as failure:
            _log.error("metrics can't be worked out: %s in %s", type(failure).__name__, place_of(failure))
        finally:
            with self._lock:
                self._asked = None
            asked.set_result(found)

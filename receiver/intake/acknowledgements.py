"""How long replies waited until their commit was done: noted in memory, and written now and then by a thread.

No reply waits for it, and none is answered otherwise where it can't be written.
"""

import logging
import threading
from datetime import UTC, datetime

from receiver.store import acknowledged
from receiver.store.errors import Refused, StoreError
from receiver.store.store import Store
from receiver.vocabulary.durations import STEPS, Spread, step_of
from receiver.vocabulary.periods import hour_of

from .group_commit import CLOSE_WITHIN

_log = logging.getLogger(__name__)

FLUSH_SECONDS = 60.0


class Acknowledgements:
    """One process's account of them, written once a minute where there were any."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        # By step: how many, and the longest in microseconds. Plain numbers, since each reply changes some.
        self._counts, self._longest = [0] * len(STEPS), [0] * len(STEPS)
        self._hour = 0
        self._unwritten: dict[tuple[int, int], Spread] = {}
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def note(self, seconds: float) -> None:
        """Count one acknowledgement."""
        microseconds = int(seconds * 1_000_000)
        step = step_of(microseconds)
        with self._lock:
            if self._thread is None:
                self._begin()
            self._counts[step] += 1
            if microseconds > self._longest[step]:
                self._longest[step] = microseconds

    def close(self) -> None:
        """Write what was noted, and end the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(CLOSE_WITHIN)

    def _begin(self) -> None:
        self._hour = self._hour or hour_of(datetime.now(UTC))
        thread = threading.Thread(target=self._run, name="acknowledgements", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # There is no thread to be had now. The reply is stored and must be answered: the next one tries again.
            return
        self._thread = thread

    def flush(self) -> None:
        """Write what was noted since the last time, and look at the clock. Raises StoreError, with nothing forgotten.

        What was noted belongs to the hour that it was when last looked: at most a minute before.
        """
        noted = self._taken()
        if not noted:
            return
        by_hour: dict[int, dict[int, Spread]] = {}
        for (hour, step), spread in noted.items():
            by_hour.setdefault(hour, {})[step] = spread
        try:
            with self._store.writing() as connection:
                for hour, spreads in sorted(by_hour.items()):
                    acknowledged.add(connection, hour, spreads)
        except Refused:
            raise  # trying the same again would never end
        except StoreError:
            # Only whoever flushes changes it.
            self._unwritten = noted
            raise

    def _taken(self) -> dict[tuple[int, int], Spread]:
        """All that is not written, by hour and step; what is noted from now on is counted anew."""
        size = len(STEPS)
        with self._lock:
            counts, self._counts = self._counts, [0] * size
            longest, self._longest = self._longest, [0] * size
            hour, self._hour = self._hour, hour_of(datetime.now(UTC))
        noted, self._unwritten = self._unwritten, {}
        for step, count in enumerate(counts):
            if count:
                new, known = Spread(count, longest[step]), noted.get((hour, step))
                noted[hour, step] = new if known is None else known.with_(new)
        return noted

    def _run(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stop.wait(FLUSH_SECONDS)
            try:
                self.flush()
            except StoreError as failure:
                _log.warning("how long answers took can't be written now: %s", failure)

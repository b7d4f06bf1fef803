"""Who was refused at the callback: counted, and a bounded number of their deliveries kept, for an admin to allow.

Bounded in memory and on disk whatever a stranger sends: a source beyond the limits is counted under ``other``.
"""

import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from receiver.store import refusals
from receiver.store.errors import StoreError
from receiver.store.store import Store
from receiver.vocabulary import Reason

_log = logging.getLogger(__name__)

KEPT_PER_SOURCE = 100
KEPT_IN_ALL = 2_000
SOURCES = 1_000
OTHER = "other"
FLUSH_SECONDS = 2.0
LOG_SECONDS = 60.0


@dataclass(slots=True)
class _Seen:
    count: int
    first_at: datetime
    last_at: datetime


class Refusals:
    """One process's account of refusals, written to the database every two seconds by a thread of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, Reason], _Seen] = {}
        self._kept: Counter[str] = Counter()
        self._kept_in_all = 0
        self._logged: dict[str, float] = {}
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def note(self, peer: str, reason: Reason) -> bool:
        """Count one refusal of ``peer``; whether its delivery may still be kept."""
        now = datetime.now(UTC)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="refusals", daemon=True)
                self._thread.start()
            key = (peer, reason)
            if key not in self._seen and len(self._seen) >= SOURCES:
                key = (OTHER, reason)
            seen = self._seen.get(key)
            if seen is None:
                self._seen[key] = _Seen(1, now, now)
            else:
                seen.count += 1
                seen.last_at = now
            keep = self._kept_in_all < KEPT_IN_ALL and self._kept[peer] < KEPT_PER_SOURCE
            if keep:
                self._kept[peer] += 1
                self._kept_in_all += 1
        self._log(peer, reason)
        return keep

    def close(self) -> None:
        """Write what was counted, and end the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def load(self) -> None:
        """Learn how many deliveries are kept already. Raises StoreError."""
        with self._store.reading() as connection:
            kept = refusals.kept(connection)
        with self._lock:
            self._kept = Counter(kept)
            self._kept_in_all = sum(kept.values())

    def flush(self) -> None:
        """Write what was counted since the last time. Raises StoreError, with nothing forgotten."""
        with self._lock:
            counted, self._seen = self._seen, {}
        rows = [
            refusals.Refusal(peer, reason, seen.count, seen.first_at, seen.last_at)
            for (peer, reason), seen in sorted(counted.items())
        ]
        try:
            with self._store.writing() as connection:
                refusals.add(connection, rows, limit=SOURCES, other=OTHER)
        except StoreError:
            with self._lock:
                for key, seen in counted.items():
                    newer = self._seen.setdefault(key, seen)
                    if newer is not seen:
                        newer.count += seen.count
                        newer.first_at = seen.first_at
            raise

    def _run(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stop.wait(FLUSH_SECONDS)
            if not self._seen:
                continue
            try:
                self.flush()
                self.load()  # other processes keep deliveries too, and admins replay them
            except StoreError as failure:
                _log.warning("refusals can't be counted now: %s", failure)

    def _log(self, peer: str, reason: Reason) -> None:
        now = time.monotonic()
        if now - self._logged.get(peer, -LOG_SECONDS) < LOG_SECONDS:
            return
        if len(self._logged) >= SOURCES:
            self._logged.clear()
        self._logged[peer] = now
        hint = (
            f"to allow it, add it to RECEIVER_ALLOWED_SOURCES: {peer}"
            if reason is Reason.SOURCE
            else "the token is missing or wrong"
        )
        _log.warning("refused %s: %s (logged once a minute)", peer, hint)

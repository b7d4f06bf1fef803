"""Who was refused at the callback: counted, and a bounded number of their deliveries kept, for an admin to allow.

Bounded in memory and on disk whatever a stranger sends: a source beyond the limits is counted under ``other``.
"""

import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from receiver import tally
from receiver.store import refusals
from receiver.store.errors import Refused, StoreError
from receiver.store.record import record
from receiver.store.store import Store
from receiver.vocabulary import Quarantined, Reason, Undeliverable, new_id

from .group_commit import CLOSE_WITHIN

_log = logging.getLogger(__name__)

KEPT_PER_SOURCE = 100
KEPT_IN_ALL = 2_000
SOURCES = 1_000
OTHER = "other"
FLUSH_SECONDS = 0.5
LOG_SECONDS = 60.0


@dataclass(slots=True)
class _Seen:
    """One source's refusals since the last time they were written."""

    count: int
    first_at: datetime
    last_at: datetime
    kept: list[Quarantined] = field(default_factory=list)


class Refusals:
    """One process's account of refusals, written twice a second by a thread of its own, so that no one waits for it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, Reason], _Seen] = {}
        self._held = 0
        self._logged: dict[str, float] = {}
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def note(self, peer: str, refused: Undeliverable) -> None:
        """Count one refusal of ``peer``, and have the delivery kept if there is room."""
        tally.REFUSED.of(refused.reason).add()
        now = datetime.now(UTC)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="refusals", daemon=True)
                self._thread.start()
            key = (peer, refused.reason)
            if key not in self._seen and len(self._seen) >= SOURCES:
                key = (OTHER, refused.reason)
            seen = self._seen.setdefault(key, _Seen(0, now, now))
            seen.count += 1
            seen.last_at = now
            if self._held < KEPT_IN_ALL and len(seen.kept) < KEPT_PER_SOURCE and key[0] == peer:
                seen.kept.append(Quarantined(new_id(), now, peer, refused))
                self._held += 1
        self._log(peer, refused.reason)

    def close(self) -> None:
        """Write what was noted, and end the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(CLOSE_WITHIN)

    def flush(self) -> None:
        """Write what was noted since the last time. Raises StoreError, with no count forgotten."""
        with self._lock:
            noted, self._seen, self._held = self._seen, {}, 0
        if not noted:
            return
        counted = [
            refusals.Refusal(peer, reason, seen.count, seen.first_at, seen.last_at)
            for (peer, reason), seen in sorted(noted.items())
        ]
        try:
            with self._store.writing() as connection:
                room = _Room(refusals.kept(connection))
                kept = [delivery for seen in noted.values() for delivery in seen.kept if room.take(delivery.peer)]
                record(connection, [], kept, timedelta(0))
                refusals.add(connection, counted, limit=SOURCES, other=OTHER)
        except Refused:
            raise  # trying the same again would never end
        except StoreError:
            self._put_back(noted)
            raise

    def _put_back(self, noted: dict[tuple[str, Reason], _Seen]) -> None:
        with self._lock:
            for key, earlier in noted.items():
                newer = self._seen.get(key)
                if newer is None and len(self._seen) >= SOURCES:
                    key = (OTHER, key[1])
                    newer = self._seen.get(key)
                if newer is None:
                    self._seen[key] = earlier
                    continue
                newer.count += earlier.count
                newer.first_at = min(newer.first_at, earlier.first_at)
                newer.kept = (earlier.kept + newer.kept)[:KEPT_PER_SOURCE]
            self._held = sum(len(seen.kept) for seen in self._seen.values())

    def _run(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stop.wait(FLUSH_SECONDS)
            try:
                self.flush()
            except StoreError as failure:
                _log.warning("refusals can't be counted now: %s", failure)

    def _log(self, peer: str, reason: Reason) -> None:
        now = time.monotonic()
        if now - self._logged.get(peer, -LOG_SECONDS) < LOG_SECONDS:
            return
        if len(self._logged) >= SOURCES:
            self._logged.clear()
        self._logged[peer] = now
        hint = "the token is missing or wrong"
        if reason is Reason.SOURCE:
            hint = f"to allow it, add {peer} to RECEIVER_ALLOWED_SOURCES"
        _log.warning("refused %s: %s (said once a minute)", peer, hint)


class _Room:
    """How many refused deliveries may still be kept, of one source and in all."""

    def __init__(self, kept: dict[str, int]) -> None:
        self._by_source = Counter(kept)
        self._in_all = sum(kept.values())

    def take(self, peer: str | None) -> bool:
        source = peer or ""
        if self._in_all >= KEPT_IN_ALL or self._by_source[source] >= KEPT_PER_SOURCE:
            return False
        self._by_source[source] += 1
        self._in_all += 1
        return True

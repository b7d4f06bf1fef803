"""From the spool into the database: stops first, then all in their order; what is stored already changes nothing."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from receiver import tally
from receiver.intake.outcome import Outcome
from receiver.intake.writer import Writer
from receiver.store.store import Store

from .folder import Spool
from .line import Spooled, is_stop, line_of
from .segment import Content, OtherVersion, content_of, locked

_log = logging.getLogger(__name__)

# Rows of one transaction.
_AT_ONCE = 256


class CannotStore(Exception):
    """The database stores nothing now, or this process ends: what is left stays in the spool."""


@dataclass(slots=True)
class Drained:
    """What became of what was in the spool."""

    stored: int = 0
    quarantined: int = 0
    set_aside: int = 0
    """Refused by the database in any form, or damaged: in a file that holds sends until a person has seen to it."""

    def add(self, stored: int, quarantined: int, set_aside: int) -> None:
        """Count what became of one more file."""
        self.stored += stored
        self.quarantined += quarantined
        self.set_aside += set_aside
        for became, count in (("stored", stored), ("quarantined", quarantined), ("set-aside", set_aside)):
            tally.DRAINED.of(became).add(count)


class Draining:
    """Empties what nobody writes. Any number may at once, in any number of processes of the machine.

    Between transactions it waits as long as one took, so that replies that come in have the database as often.
    ``wait`` gets seconds, and says whether to stop.
    """

    def __init__(
        self,
        spool: Spool,
        store: Store,
        duplicate_window: timedelta,
        wait: Callable[[float], object] = lambda seconds: time.sleep(seconds),
    ) -> None:
        self._spool = spool
        self._store = store
        self._writer = Writer(store, duplicate_window)
        self._wait = wait
        self._said: set[str] = set()

    def run(self) -> Drained:
        """Store all that is left. Raises CannotStore, StoreError; what was stored by then stays so, once.

        Raises OSError, after the others are stored, where a file can't be read or removed.
        """
        drained = Drained()
        if self._spool.is_empty():
            return drained
        self._store.probe()
        failed: dict[Path, OSError] = {}
        # A file at a time: an hour without a database leaves thousands.
        for path in self._spool.waiting():
            with self._skipping(path, failed), locked(path) as is_mine:
                if is_mine and (content := self._ours(path)):
                    self._write([item for item in content.items if is_stop(item)])
        for path in self._spool.waiting():
            with self._skipping(path, failed), locked(path) as is_mine:
                if is_mine and (content := self._ours(path)):
                    self._empty(path, content, drained)
        if drained != Drained():
            _log.info("from the spool into the database: %s", drained)
        if failed:
            raise next(iter(failed.values()))
        return drained

    def _empty(self, path: Path, content: Content, drained: Drained) -> None:
        outcomes = self._write(content.items)
        refused = [item for item, outcome in zip(content.items, outcomes, strict=True) if outcome is _NEVER]
        content.damaged += map(line_of, refused)
        self._spool.remove(path, content)
        became = Counter(outcomes)
        drained.add(became[Outcome.STORED], became[Outcome.QUARANTINED], len(content.damaged))

    @contextmanager
    def _skipping(self, path: Path, failed: dict[Path, OSError]) -> Iterator[None]:
        """A file that can't be read or removed is left, and keeps the others from nothing."""
        try:
            yield
        except OSError as failure:
            failed[path] = failure
            self._say_once(path, failure)

    def _write(self, items: Sequence[Spooled]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for start in range(0, len(items), _AT_ONCE):
            began = time.monotonic()
            outcomes += self._writer.write(items[start : start + _AT_ONCE])
            if Outcome.UNAVAILABLE in outcomes:
                raise CannotStore("the database can't store a reply now: what was acknowledged waits in the spool")
            if self._wait(time.monotonic() - began):
                raise CannotStore("this process ends: what was acknowledged waits in the spool")
        return outcomes

    def _ours(self, path: Path) -> Content | None:
        try:
            return content_of(path)
        except OtherVersion as other:
            self._say_once(path, f"{other}. The version that wrote it can empty it")
            return None

    def _say_once(self, path: Path, why: object) -> None:
        if path.name not in self._said:
            self._said.add(path.name)
            _log.error("left in the spool: %s", why)


_NEVER = Outcome.REFUSED

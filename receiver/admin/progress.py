"""How far a file is that somebody downloads: told by whoever writes it, asked for by a page, in whatever processes.

Its counters are those of the rates: they may be lost, and never hold up a reply.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from receiver.store.errors import StoreError
from receiver.store.rate_windows import RateWindows

_log = logging.getLogger(__name__)

Row = TypeVar("Row")
# Seconds for which it is known how a file ended, and after which one that gets no further is told of as such.
_KNOWN_FOR, _ALIVE_FOR = 24 * 3600, 60
# Rows that are counted at a time.
_AT_ONCE = 500


class State(StrEnum):
    UNKNOWN = "unknown"
    """Nobody has begun to write it, or it is too long ago."""
    RUNNING = "running"
    STALLED = "stalled"
    """Nothing was written for a while: whoever reads it waits, or whoever writes it is gone."""
    DONE = "done"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a file is: ``rows`` of ``total``, which is None where it is not known."""

    state: State
    rows: int = 0
    total: int | None = None


class Progress:
    """How far one file is, by a name that nobody can guess."""

    def __init__(self, windows: RateWindows, name: str) -> None:
        self._windows, self._name = windows, f"file:{name}"
        self._is_told = True

    def begin(self, total: int | None) -> None:
        """Say that it is begun, and how many rows it will have."""
        self._add("begun", 1)
        self._add("alive", 1, _ALIVE_FOR)
        if total:
            self._add("total", total)

    def counted(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows, counted as they are written."""
        waiting = 0
        for row in rows:
            yield row
            waiting += 1
            if waiting == _AT_ONCE:
                self._written(waiting)
                waiting = 0
        self._written(waiting)

    def watched(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The same pieces of the file, and how they ended: all were sent, or it was broken off by either side."""
        ended = State.BROKEN
        try:
            yield from pieces
            ended = State.DONE
        finally:
            self._add(ended, 1)

    def standing(self) -> Standing:
        """How far it is. Raises StoreError."""
        if not self._look("begun"):
            return Standing(State.UNKNOWN)
        rows, total = self._look("rows"), self._look("total") or None
        for ended in (State.DONE, State.BROKEN):
            if self._look(ended):
                return Standing(ended, rows, total)
        return Standing(State.RUNNING if self._look("alive") else State.STALLED, rows, total)

    def _written(self, rows: int) -> None:
        self._add("alive", 1, _ALIVE_FOR)
        if rows:
            self._add("rows", rows)

    def _look(self, what: str) -> int:
        return self._windows.look(f"{self._name}:{what}").count

    def _add(self, what: str, amount: int, seconds: int = _KNOWN_FOR) -> None:
        if not self._is_told:
            return
        try:
            self._windows.count(f"{self._name}:{what}", seconds, amount)
        except StoreError as failure:
            # The file matters, and not what is said of it.
            _log.warning("how far an export is can't be told: %s", failure)
            self._is_told = False

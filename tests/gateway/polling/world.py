"""A world in which time goes on only while all wait: many processes, steady clocks, and a wall clock that jumps."""

import heapq
import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2026, 6, 3, tzinfo=UTC)


class World:
    """Runs actors one at a time: each until it waits. What they do is done in an order that is always the same."""

    def __init__(self, ends: float) -> None:
        self.time = 0.0
        self.jump = timedelta(0)
        """How far the wall clock is off."""
        self._ends = ends
        self._sleepers: list[tuple[float, int, threading.Event]] = []
        self._order = itertools.count()
        self._actors: list[threading.Thread] = []
        self._failed: list[BaseException] = []

    @property
    def is_over(self) -> bool:
        return self.time >= self._ends

    def now(self) -> float:
        """A clock that never jumps."""
        return self.time

    def clock(self) -> datetime:
        """The wall clock, the database's."""
        return BEGINNING + timedelta(seconds=self.time) + self.jump

    def wait(self, seconds: float) -> bool:
        """Let the others go on for so long; whether the world has come to its end."""
        if seconds > 0:
            turn = self._sleeping_until(self.time + seconds)
            self._wake_next()
            assert turn.wait(120), "the world stands still"
        return self.is_over

    def actor(self, act: Callable[[], None]) -> None:
        turn = self._sleeping_until(0.0)

        def live() -> None:
            try:
                assert turn.wait(120)
                act()
            except BaseException as failure:
                self._failed.append(failure)
            finally:
                self._wake_next()

        self._actors.append(threading.Thread(target=live, daemon=True))

    def run(self) -> None:
        """Until every actor has ended. Raises what one of them raised."""
        for actor in self._actors:
            actor.start()
        self._wake_next()
        for actor in self._actors:
            actor.join()
        if self._failed:
            raise self._failed[0]

    def _sleeping_until(self, moment: float) -> threading.Event:
        turn = threading.Event()
        heapq.heappush(self._sleepers, (moment, next(self._order), turn))
        return turn

    def _wake_next(self) -> None:
        # Only who has the turn comes here, so that no lock is needed.
        if self._sleepers:
            self.time, _, turn = heapq.heappop(self._sleepers)
            turn.set()

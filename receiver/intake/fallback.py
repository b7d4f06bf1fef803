"""Where replies go while the database can't be used: into the spool, until what is there could be stored again."""

import logging
import os
import threading
from collections.abc import Callable, Sequence

from receiver import tally
from receiver.observability import place_of
from receiver.store.errors import StoreError

from .group_commit import CLOSE_WITHIN, GroupCommit, Host
from .outcome import Outcome
from .spool import CannotStore, Drained, Draining, Spool, Spooled
from .writer import Probe

_log = logging.getLogger(__name__)

# Seconds until it is tried again, longer after each failure.
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 2.0
# Seconds between two looks for what others left, or put back: a process that was killed, a person.
_LOOK_EVERY = 5.0


class Fallback:
    """One process's way around its database.

    The first reply that the database fails, or keeps waiting for too long, opens it: from then on nothing waits for the
    database (``is_away``), until a thread could store something of what was spooled. ``is_stuck`` says whether replies
    wait in a transaction that does not end.
    """

    def __init__(
        self,
        spool: Spool,
        draining: Callable[[Callable[[float], bool]], Draining],
        *,
        is_stuck: Callable[[], bool],
        max_waiting: int,
        timeout: float,
        host: Host | None = None,
    ) -> None:
        self.is_away = False
        self._spool = spool
        self._is_stuck = is_stuck
        self._commits: GroupCommit[Spooled | Probe] = GroupCommit(
            self._write, tally.Commits.of("spool"), max_waiting=max_waiting, timeout=timeout, host=host
        )
        self._stop = threading.Event()
        self._has_work = threading.Event()
        self._draining = draining(self._pause)
        self._has_kept = False
        self._has_failed = False
        # The spool is written by one thread and sealed by another.
        self._spool_lock = threading.Lock()
        self._thread_lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pid: int | None = None
        self._begin()

    def keep(self, item: Spooled) -> Outcome:
        """Have ``item`` in the spool: STORED is durable, and will be in the database."""
        return self._commits.submit(item)

    def take_over(self, item: Spooled) -> Outcome:
        """As ``keep``, for what the database has failed: nothing waits for it from now on."""
        outcome = self.keep(item)
        if outcome is Outcome.STORED:
            # Not for what was on its way here already: else whatever came while it is emptied would open it again.
            self._open()
        return outcome

    def has_room(self) -> bool:
        """Whether the spool takes something now: there is room, and where the last write failed, another one works."""
        try:
            self._spool.check_room()
        except OSError:
            return False
        return not self._has_failed or self._commits.submit(Probe()) is Outcome.STORED

    def close(self) -> None:
        """Write what waits, and leave it to whoever empties the spool next. A disk that hangs is not waited for."""
        has_written = self._commits.close(CLOSE_WITHIN)
        self._stop.set()
        self._has_work.set()
        thread = self._thread if self._pid == os.getpid() else None
        if thread is not None:
            thread.join(CLOSE_WITHIN if has_written else 0)
        if not self._spool_lock.acquire(timeout=CLOSE_WITHIN if has_written else 0):
            _log.error("the spool's disk hangs: what was acknowledged is in it, and stored by whoever empties it next")
            return
        try:
            self._spool.seal()
        except OSError as failure:
            _log.error("the spool could not be closed: %s", failure)
        finally:
            self._spool_lock.release()

    def _write(self, batch: Sequence[Spooled | Probe]) -> list[Outcome]:
        try:
            with self._spool_lock:
                self._spool.keep([item for item in batch if not isinstance(item, Probe)])
                self._has_kept, self._has_failed = True, False
        except OSError as failure:
            self._has_failed = True
            _log.error("%d not stored: the spool can't take them: %s", len(batch), failure)
            return [Outcome.UNAVAILABLE] * len(batch)
        tally.SPOOLED.of().add(sum(not isinstance(item, Probe) for item in batch))
        with self._thread_lock:
            self._begin()
        return [Outcome.STORED] * len(batch)

    def _open(self) -> None:
        with self._thread_lock:
            if not self.is_away:
                self._go(away=True)
                _log.error("the database can't be used: replies go into the spool, %s", self._spool.folder)
            self._begin()

    def _go(self, *, away: bool) -> None:
        self.is_away = away
        tally.SPOOLING.of().set(int(away))

    def _begin(self) -> None:
        """Have the spool emptied from now on. A process that was forked has none of its parent's threads."""
        self._has_work.set()
        if self._thread is None or self._pid != os.getpid():
            self._pid = os.getpid()
            self._thread = threading.Thread(target=self._return, name="spool-drain", daemon=True)
            self._thread.start()

    def _return(self) -> None:
        """Try again and again to store what is spooled; where nothing is left, look now and then."""
        wait = _FIRST_WAIT
        while not self._stop.wait(wait):
            wait = min(wait * 2, _LONGEST_WAIT)
            try:
                if not self._is_stuck() and self._emptied():
                    self._has_work.wait(_LOOK_EVERY)
                    wait = _FIRST_WAIT
            except (CannotStore, StoreError, OSError) as failure:
                _log.debug("the spool is not emptied: %s", failure)
            except Exception as failure:
                # Whatever it was, somebody has to go on trying.
                _log.error("the spool could not be emptied: %s in %s", type(failure).__name__, place_of(failure))

    def _emptied(self) -> bool:
        try:
            with self._spool_lock:
                self._has_kept = False
                self._spool.seal()
            drained = self._draining.run()
        except OSError:
            # It is the spool that fails: whether the database does, the next reply finds out.
            self._go(away=False)
            raise
        self._go(away=False)  # somebody else may have emptied it
        with self._thread_lock:
            if self.is_away or self._has_kept:
                return False  # some came in meanwhile
            self._has_work.clear()
        if drained != Drained():
            _log.warning("what was in the spool is stored")
        return True

    def _pause(self, seconds: float) -> bool:
        """Between two transactions that store what was spooled: the first proves that others can be stored as well.

        A long line may take hours to store, and must not grow meanwhile.
        """
        if self.is_away:
            self._go(away=False)
            _log.warning("the database can be used: replies go into it")
        return self._stop.wait(seconds)

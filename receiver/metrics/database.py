"""What the database knows: asked when somebody looks, for a short time, and left out where it is away."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from prometheus_client.core import Metric

from receiver.access import Action
from receiver.config import Settings
from receiver.store import audit_log
from receiver.store.operating import Operating, operating
from receiver.store.store import Store
from receiver.tally import Role
from receiver.vocabulary.silence import WEEKS, silence
from receiver.worker.roster import task_names
from receiver.worker.status import State, status
from receiver.worker.verifying import is_broken

from .family import Family
from .reachable import UP
from .within import PATIENCE, Within

_ADMIN = (Role.ADMIN,)
_TASK = ("task",)

SIZE = Family("receiver_database_size_bytes", "Size of the database", _ADMIN)
OPTOUTS = Family("receiver_optouts", "Phones that are opted out", _ADMIN)
EVENTS = Family("receiver_ledger_events", "Events in the ledger", _ADMIN)
INTACT = Family(
    "receiver_ledger_intact",
    "1 where the ledger ends with the event that its head names, and the worker's daily verification found nothing",
    _ADMIN,
)
QUARANTINE = Family("receiver_quarantine_waiting", "Deliveries in quarantine that nobody has taken in", _ADMIN)
BATCHES = Family("receiver_send_batches", "Batches of texts that are not answered yet", _ADMIN, ("state",))
SEND_LAG = Family("receiver_send_lag_seconds", "For how long the oldest batch that is due has waited", _ADMIN)
IN_DOUBT = Family(
    "receiver_send_recipients_in_doubt", "Recipients of whom nobody knows whether they were texted", _ADMIN
)
BEGUN = Family("receiver_task_begun", "1 where a worker has ever begun with the task", _ADMIN, _TASK)
LAG = Family("receiver_task_lag_seconds", "How late the task is", _ADMIN, _TASK)
STUCK = Family("receiver_task_stuck", "1 where whoever has the task hangs, or has died", _ADMIN, _TASK)
FAILURES = Family("receiver_task_failures", "How often the task failed, one time after the other", _ADMIN, _TASK)
LAST_RUN = Family("receiver_task_last_run_timestamp_seconds", "When the task last ended a run", _ADMIN, _TASK)
BACKUP = Family(
    "receiver_backup_last_timestamp_seconds", "When the last backup was made; 0 where there was none", _ADMIN
)
CLOCK = Family("receiver_clock_offset_seconds", "How far the database's clock is ahead of this machine's", _ADMIN)
LAST_REPLY = Family("receiver_last_reply_timestamp_seconds", "When the last reply came in", _ADMIN)
USUAL = Family(
    "receiver_usual_silence_seconds",
    "For how long nobody replies, at most, at this time of the day and week; from the third day on",
    _ADMIN,
)
RATIO = Family(
    "receiver_silence_ratio", "How many times as long as usual nobody has replied, at its most unusual moment", _ADMIN
)
ACKNOWLEDGED = Family(
    "receiver_acknowledgement_seconds",
    "Up to how long this share of pushed replies waited for their 0, in this hour and the one before",
    _ADMIN,
    ("share",),
)


@dataclass(frozen=True, slots=True)
class _State:
    now: datetime
    found: Operating
    backup: datetime | None


class Database:
    """The metrics of one database."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store
        self._asking = Within(self._ask, PATIENCE)

    def __call__(self) -> Iterator[Metric]:
        """All of them, or that it is not up."""
        state = self._asking.answer()
        yield UP.is_(state is not None)
        if state is None:
            return
        found = state.found
        yield SIZE.is_(found.size)
        yield OPTOUTS.is_(found.optouts)
        yield EVENTS.is_(found.events)
        yield INTACT.is_(found.is_ledger_intact and not any(map(is_broken, found.tasks)))
        yield QUARANTINE.is_(found.quarantined)
        yield BATCHES.metric(((name,), many) for name, many in found.batches.items())
        yield SEND_LAG.is_((state.now - found.due_since).total_seconds() if found.due_since else 0)
        yield IN_DOUBT.is_(found.in_doubt)
        yield BACKUP.is_(state.backup.timestamp() if state.backup else 0)
        yield CLOCK.is_((found.server_time - state.now).total_seconds() if found.server_time else 0)
        yield from self._tasks(found)
        yield from _replies(state)

    def _ask(self) -> _State:
        with self._store.snapshot() as connection:
            now = datetime.now(UTC)
            found = operating(connection, now, busy_for=timedelta(weeks=WEEKS + 2))
            return _State(now, found, audit_log.last(connection, Action.DATABASE_BACKED_UP))

    def _tasks(self, found: Operating) -> Iterator[Metric]:
        here = task_names(self._settings)
        told = {each.name: status(each, here) for each in found.tasks}
        running = {name: each for name, each in told.items() if each["state"] is not State.OFF}
        yield BEGUN.metric(((_label(name),), name in told) for name in here)
        yield LAG.metric(((_label(name),), each["lag"] or 0) for name, each in running.items())
        yield STUCK.metric(((_label(name),), each["state"] is State.STUCK) for name, each in running.items())
        yield FAILURES.metric(((_label(name),), each["failures"]) for name, each in running.items())
        ended = {name: each["last_run"] for name, each in running.items() if each["last_run"]}
        yield LAST_RUN.metric(((_label(name),), at.timestamp()) for name, at in ended.items())


def _replies(state: _State) -> Iterator[Metric]:
    found = state.found
    if found.last_reply is not None:
        yield LAST_REPLY.is_(found.last_reply.timestamp())
        told = silence(found.busy, found.last_reply, state.now)
        if told is not None:
            yield USUAL.is_(told.usual)
            yield RATIO.is_(told.ratio)
    if found.acknowledged is not None:
        shares = {"0.5": found.acknowledged.p50, "0.95": found.acknowledged.p95, "0.99": found.acknowledged.p99}
        yield ACKNOWLEDGED.metric(((share,), milliseconds / 1000) for share, milliseconds in shares.items())


def _label(name: str) -> str:
    """A task's name without the account at the gateway."""
    return name.partition(":")[0]

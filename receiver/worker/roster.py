"""What a worker does, by the settings: which tasks and chores there are."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from receiver.config import Settings
from receiver.gateway.client import Refusal
from receiver.gateway.polling import APART, Drain, Poller, Spool, lease_seconds, task_name
from receiver.gateway.sending import Dispatcher
from receiver.gateway.settings import gateway_of
from receiver.intake import Intake
from receiver.intake.spool import Draining, spool_of
from receiver.optout.subscribing import tidy
from receiver.store import send_batches
from receiver.store.store import Store

from . import counting, indexing, retention, verifying
from .lease import Lease
from .task import Chore, Ran, Task, Wait

SEND = "send"
_DRAIN_EVERY = 10.0
_EMPTY_LOG_EVERY = 60.0
_TIDY_EVERY = 600.0
# Seconds between looks for something to send. SQLite is one machine's: it need not be asked more often.
_LOOK_EVERY, _LOOK_EVERY_SQLITE = 1.0, 2.0
# Seconds after which a task runs though there is nothing to do, so that people see that it does.
_AT_LEAST = 60.0
# Seconds that it may take besides one call (by POST, then by GET): its turn, and how long it tries to record an answer.
_SEND_LEASE = 120.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What tasks are made of."""

    settings: Settings
    store: Store
    intake: Intake

    @classmethod
    def of(cls, settings: Settings, store: Store) -> "Parts":
        """The parts for one process. ``store`` is the caller's to close, and ``intake`` before it."""
        intake = Intake(
            store,
            duplicate_window=timedelta(seconds=settings.duplicate_window),
            timeout=settings.ack_timeout,
            max_waiting=settings.max_waiting,
        )
        return cls(settings, store, intake)

    def spool(self) -> Spool:
        return Spool(self.settings.data_dir)

    def drain(self) -> Drain:
        """What empties this machine's spool."""
        return Drain(self.spool(), self.intake, self.store, self.settings.reading)

    def pushed(self) -> Draining:
        """What empties the spool of the callback's processes that are gone."""
        window = timedelta(seconds=self.settings.duplicate_window)
        return Draining(spool_of(self.settings), self.store, window)

    def poller(self) -> Poller:
        """What pulls the replies of the account. Raises ConfigurationError where there is none."""
        gateway, account = gateway_of(self.settings), self.settings.gateway_name or ""
        return Poller(gateway, self.spool(), self.drain(), account=account, charset=self.settings.gateway_charset)


def task_names(settings: Settings) -> list[str]:
    """The tasks that a worker with these settings runs."""
    names = [indexing.NAME, counting.NAME, verifying.NAME]
    names += [task_name(settings.gateway_name or "")] if settings.poll else []
    names += [retention.NAME] if settings.retention_days else []
    return [*names, SEND] if settings.gateway_name and settings.gateway_password else names


def tasks(parts: Parts) -> list[Task]:
    """Those tasks themselves."""
    makers: dict[str, Callable[[Parts], Task]] = {
        SEND: _send,
        indexing.NAME: _index,
        counting.NAME: _count,
        verifying.NAME: _verify,
        retention.NAME: _purge,
    }
    return [makers.get(name, _poll)(parts) for name in task_names(parts.settings)]


def chores(parts: Parts) -> list[Chore]:
    """What each worker does for its own machine: a spool is emptied where it is, whoever filled it.

    And so is SQLite's log, which would keep what was erased or purged for as long as it is not written over. What
    killed imports left is the database's, and any worker's: it is there too rarely for turns to be taken.
    """
    drain, pushed = parts.drain(), parts.pushed()
    found = [
        Chore("poll-spool", _DRAIN_EVERY, lambda: _drained(drain)),
        Chore("push-spool", _DRAIN_EVERY, lambda: _emptied_of_pushed(pushed)),
        Chore("killed-imports", _TIDY_EVERY, lambda: tidy(parts.store)),
    ]
    if parts.settings.url.startswith("sqlite"):
        found.append(Chore("sqlite-log", _EMPTY_LOG_EVERY, lambda: _emptied(parts.store)))
    return found


def _poll(parts: Parts) -> Task:
    poller = parts.poller()

    def run(lease: Lease, wait: Wait) -> Ran:
        poller.run(lease, wait)
        return Ran(APART, poller.told)

    settings = parts.settings
    return Task(
        task_name(settings.gateway_name or ""),
        lease_seconds(settings.gateway_timeout),
        run,
        retry_after=APART,
        hopeless=(Refusal,),
    )


def _send(parts: Parts) -> Task:
    settings, store = parts.settings, parts.store
    dispatcher = Dispatcher(
        store, gateway_of(settings), region=settings.default_region, is_clear=spool_of(settings).is_clear
    )

    def run(_lease: Lease, wait: Wait) -> Ran:
        handled = dispatcher.run_once(stopped=lambda: wait(0))
        return Ran(0.0 if handled else _AT_LEAST, f"{handled} batches" if handled else "nothing to send")

    def has_work() -> bool:
        with store.reading() as connection:
            return send_batches.due(connection, datetime.now(UTC))

    return Task(
        SEND,
        2 * settings.gateway_timeout + _SEND_LEASE,
        run,
        look_every=_LOOK_EVERY_SQLITE if settings.url.startswith("sqlite") else _LOOK_EVERY,
        hopeless=(Refusal,),
        has_work=has_work,
    )


def _index(parts: Parts) -> Task:
    return indexing.task(parts.store)


def _count(parts: Parts) -> Task:
    return counting.task(parts.store)


def _verify(parts: Parts) -> Task:
    return verifying.task(parts.store)


def _purge(parts: Parts) -> Task:
    return retention.task(parts.store, parts.settings.retention_days or 0)


def _emptied(store: Store) -> None:
    store.empty_log()


def _drained(drain: Drain) -> None:
    drain.run()


def _emptied_of_pushed(pushed: Draining) -> None:
    pushed.run()

"""What a person would look at first where something is wrong: each part, how it is, and the command that mends it."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from receiver.access import Action
from receiver.config import PREFIX, Settings, unknown
from receiver.gateway import GatewayError
from receiver.gateway.settings import gateway_of
from receiver.store import audit_log, clocks, ledger, refusals
from receiver.store.errors import StoreError
from receiver.store.migrate import HEAD
from receiver.store.store import Store
from receiver.vocabulary import Reason
from receiver.vocabulary.sizes import size_told
from receiver.vocabulary.source import is_within

from .health import Finding, Level, Says, health, of_machine

# A clock that is off by this much orders replies wrongly, or worse.
_CLOCK_WARN, _CLOCK_BAD = timedelta(seconds=2), timedelta(minutes=1)
_BACKUP_AGE = timedelta(days=7)
_REFUSED_WITHIN, _REFUSED_SHOWN = timedelta(days=7), 5
_GATEWAY_SECONDS = 10.0

_SAYS = {
    Says.DATABASE_WRITES: "it takes writes",
    Says.DATABASE_REFUSES: "it takes no writes: {error}",
    Says.DISK_ROOM: "{share:.0%} free at {folder}",
    Says.DISK_LOW: "only {share:.0%} free at {folder}",
    Says.DISK_FULL: "as good as full: {share:.1%} free at {folder}",
    Says.DISK_UNKNOWN: "{folder} can't be read: {error}",
    Says.PUSHED_NONE: "nothing waits in {folder}",
    Says.PUSHED_WAITING: "acknowledged replies wait to be stored, {size} in {folder}; no sending meanwhile",
    Says.PUSHED_DAMAGED: "{damaged} damaged files in {folder}; no sending until a person has seen to them",
    Says.PUSHED_UNKNOWN: "{folder} can't be read, so nothing is sent: {error}",
    Says.SPOOL_EMPTY: "nothing waits in {folder}",
    Says.SPOOL_WAITING: "{waiting} pulled replies wait to be stored, in {folder}",
    Says.SPOOL_CORRUPT: "{corrupt} files can't be read, in {folder}",
    Says.SPOOL_UNKNOWN: "{folder} can't be read: {error}",
    Says.TASK_WELL: "it runs",
    Says.TASK_NEVER: "no worker has begun with it",
    Says.TASK_STUCK: "its worker hangs or has died",
    Says.TASK_FAILING: "it failed {failures} times one after the other: {error}",
}
_MENDS = {
    Says.DATABASE_REFUSES: "look whether its disk is full, whether it is in recovery, or who locks it",
    Says.DISK_LOW: f"make room, or move {PREFIX}DATA_DIR to a larger disk",
    Says.DISK_FULL: f"make room, or move {PREFIX}DATA_DIR to a larger disk",
    Says.DISK_UNKNOWN: f"make the folder that {PREFIX}DATA_DIR names, for the receiver to write in",
    Says.PUSHED_WAITING: "receiver spool drain",
    Says.PUSHED_DAMAGED: "receiver spool damaged",
    Says.PUSHED_UNKNOWN: "give the receiver the right to read and write there",
    Says.SPOOL_WAITING: "receiver worker",
    Says.SPOOL_CORRUPT: "keep them, and look into them",
    Says.SPOOL_UNKNOWN: "give the receiver the right to read and write there",
    Says.TASK_NEVER: "receiver worker; one that runs is to be restarted after a change of its settings",
    Says.TASK_STUCK: "receiver worker tasks",
    Says.TASK_FAILING: "receiver worker tasks",
}
# What is stored by itself once the database can be used: until then no command of ours helps.
_WAITS_FOR_DATABASE = frozenset([Says.PUSHED_WAITING, Says.SPOOL_WAITING])
_DATABASE_FIRST = "mend the database: then they are stored by themselves"


@dataclass(frozen=True, slots=True)
class Check:
    """One part, how it is, and what mends it: a command, or what a person is to do."""

    part: str
    level: Level
    says: str
    mend: str | None = None


def examine(settings: Settings, *, ask_gateway: bool = True) -> Iterator[Check]:
    """Each part in turn. What needs a database is left out where there is none with our schema. Raises nothing."""
    yield from _settings(settings)
    with closing(Store(settings.url, pooled=False)) as store:
        try:
            revision = store.revision()
        except StoreError as failure:
            yield Check("database", Level.BAD, str(failure), f"check {PREFIX}DATABASE_URL and that it runs")
            yield from _of_machine(settings)
        else:
            yield _schema(revision)
            yield from _of_database(settings, store) if revision == HEAD else _of_machine(settings)
    if ask_gateway:
        yield _gateway(settings)


def _settings(settings: Settings) -> Iterator[Check]:
    slips = unknown()
    yield from (Check("settings", Level.WARN, slip, "receiver config") for slip in slips)
    if not slips:
        yield Check("settings", Level.GOOD, "every name is known")
    if all(network.is_loopback for network in settings.allowed_sources):
        yield Check(
            "allowed sources", Level.WARN, "only this machine may call the callback",
            f"{PREFIX}ALLOWED_SOURCES=<the gateway's address>",
        )  # fmt: skip


def _schema(revision: str | None) -> Check:
    if revision == HEAD:
        return Check("schema", Level.GOOD, f"{revision}, the newest")
    if revision is None:
        return Check("schema", Level.BAD, "no database yet", "receiver db upgrade")
    return Check("schema", Level.BAD, f"{revision}, and this receiver needs {HEAD}", "receiver db upgrade")


def _of_database(settings: Settings, store: Store) -> Iterator[Check]:
    try:
        findings = health(settings, store)
        takes_writes = all(finding.says is not Says.DATABASE_REFUSES for finding in findings)
        yield from (_told(finding, database_is_well=takes_writes) for finding in findings)
        yield from _clock(store)
        yield from _sources(settings, store)
        yield _ledger(store)
        yield _backup(store)
    except StoreError as failure:
        yield Check("database", Level.BAD, str(failure), f"check {PREFIX}DATABASE_URL and that it runs")


def _of_machine(settings: Settings) -> Iterator[Check]:
    yield from (_told(finding, database_is_well=False) for finding in of_machine(settings))


def _told(finding: Finding, *, database_is_well: bool) -> Check:
    part = finding.task or {
        "database": "database", "disk": "disk", "pushed": "spool of pushed replies", "spool": "spool of pulled replies"
    }[finding.says.partition("-")[0]]  # fmt: skip
    values = {**finding.values, "size": size_told(finding.values.get("size", 0))}
    is_later = finding.says in _WAITS_FOR_DATABASE and not database_is_well
    mend = _DATABASE_FIRST if is_later else _MENDS.get(finding.says)
    return Check(part, finding.level, _SAYS[finding.says].format(**values), mend)


def _clock(store: Store) -> Iterator[Check]:
    with store.reading() as connection:
        now = datetime.now(UTC)
        of_server, newest = clocks.of_server(connection), clocks.of_newest_reply(connection)
    off = abs(of_server - now) if of_server else timedelta(0)
    ahead = newest - now if newest else timedelta(0)
    mend = "timedatectl"
    if off > _CLOCK_WARN:
        level = Level.BAD if off > _CLOCK_BAD else Level.WARN
        yield Check("clock", level, f"{off.total_seconds():.1f} s apart from the database's", mend)
    if ahead > _CLOCK_WARN:
        level = Level.BAD if ahead > _CLOCK_BAD else Level.WARN
        yield Check("clock", level, f"the newest reply came in {ahead.total_seconds():.0f} s from now", mend)
    if max(off, ahead) <= _CLOCK_WARN:
        yield Check("clock", Level.GOOD, "as the database's, and behind no reply")


def _sources(settings: Settings, store: Store) -> Iterator[Check]:
    since = datetime.now(UTC) - _REFUSED_WITHIN
    with store.reading() as connection:
        seen = [row for row in refusals.most_recent(connection, _REFUSED_SHOWN) if row["last_at"] >= since]
    for row in seen:
        if row["reason"] == Reason.SOURCE and not is_within(row["peer"], settings.allowed_sources):
            allowed = ",".join(map(str, settings.allowed_sources))
            yield Check(
                "refused source", Level.WARN, f"{row['peer']} called {row['count']} times, the last within a week",
                f"if it is the gateway: {PREFIX}ALLOWED_SOURCES={allowed},{row['peer']}",
            )  # fmt: skip
        elif row["reason"] == Reason.TOKEN:
            yield Check(
                "refused source", Level.WARN, f"{row['peer']} called {row['count']} times with a wrong token or none",
                "if it is the gateway: register the callback's URL with the token",
            )  # fmt: skip


def _ledger(store: Store) -> Check:
    with store.snapshot() as connection:
        sequence, is_intact = ledger.end(connection)
    if not is_intact:
        return Check(
            "ledger", Level.BAD, f"its head, event {sequence}, is not what was noted", "receiver optouts verify"
        )
    return Check("ledger", Level.GOOD, f"event {sequence} is its head" if sequence else "no event yet")


def _backup(store: Store) -> Check:
    with store.reading() as connection:
        last = audit_log.last(connection, Action.DATABASE_BACKED_UP)
    mend = "receiver db backup -o FILE"
    if last is None:
        return Check("backup", Level.WARN, "there was none yet", mend)
    age = datetime.now(UTC) - last
    if age > _BACKUP_AGE:
        return Check("backup", Level.WARN, f"the last one was {age.days} days ago", mend)
    return Check("backup", Level.GOOD, f"the last one was {age.total_seconds() / 3_600:.0f} hours ago")


def _gateway(settings: Settings) -> Check:
    if settings.gateway_name is None or settings.gateway_password is None:
        return Check("gateway", Level.GOOD, "no account is set: nothing is sent, and nothing pulled")
    try:
        balance = gateway_of(settings, timeout=min(settings.gateway_timeout, _GATEWAY_SECONDS)).balance()
    except GatewayError as failure:
        return Check(
            "gateway", Level.BAD, str(failure), f"check {PREFIX}GATEWAY_URL, _NAME and _PASSWORD, and the network"
        )
    return Check("gateway", Level.GOOD, f"it answers, and the login is right; {balance.amount} are left")

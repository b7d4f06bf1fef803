"""A backup is put back into an empty database, in one transaction, and brought up to this receiver's revision."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select, table, text

from .. import feed, ledger, migrate
from ..send_endings import doubt_open
from ..store import Store
from ..tables import metadata
from . import content
from .archive import Backup, Progress
from .errors import Broken, NotEmpty, Unfit
from .manifest import Manifest

# Where a database that nobody has used has rows too: its migrations' and its workers'.
_NEVER_EMPTY = frozenset(["ledger_head", "counts_state", "search_state", "search_buckets", "tasks", "acknowledged"])
# Places in the feed that the lost database may have given out after the backup. New ones come behind them: who reads on
# from such a place misses nothing.
_FEED_LEAD = 1_000_000_000
_IN_DOUBT = "queued in a backup that was put back: it may have been sent since"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back: how many rows, and to how many people it is in doubt now whether a text was sent."""

    rows: int
    in_doubt: int
    replaced: bool


def refuse_unfit(store: Store, manifest: Manifest) -> None:
    """Raise Unfit where this receiver, or a database of this kind, can't take such a backup. Connects to nothing."""
    if manifest.engine != store.engine:
        raise Unfit(
            f"it was made on {manifest.engine}, and this database is {store.engine}: restore it into one of its kind"
        )
    if not migrate.is_known(manifest.revision):
        raise Unfit(f"it has schema {manifest.revision} and this receiver {migrate.HEAD}: use the newer receiver")


def occupied(store: Store) -> list[str]:
    """The tables in which there is something already. Raises StoreError."""
    with store.reading() as connection:
        return _occupied(connection)


def restore(
    store: Store,
    backup: Backup,
    *,
    replace: bool,
    noted: Callable[[Connection], None],
    progress: Progress = lambda _done, _of: None,
) -> Restored:
    """Put everything back that is in ``backup``; with ``replace`` in place of what is there. All of it or nothing.

    ``noted`` tells the audit, in the same transaction. What was queued to be sent is in doubt: it may have been sent
    since the backup. Raises Broken, Unfit, NotEmpty, StoreError.
    """
    manifest = backup.manifest
    refuse_unfit(store, manifest)
    with store.migrating() as connection:
        _hold_all(connection)
        found = _occupied(connection)
        if found and not replace:
            raise NotEmpty(found)
        _make_schema(connection, manifest.revision)
        _put_all(connection, backup, progress)
        migrate.upgrade_within(connection)
        feed.continue_behind(connection, manifest.feed_end + _FEED_LEAD)
        in_doubt = doubt_open(connection, _IN_DOUBT)
        noted(connection)
    return Restored(manifest.rows, in_doubt, bool(found))


def _hold_all(connection: Connection) -> None:
    """Have nobody write until this transaction ends: what is acknowledged meanwhile must not be found by nobody and go.

    On SQLite it is the only writer already.
    """
    if connection.dialect.name == "postgresql" and (names := content.present(connection)):
        connection.execute(text(f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE"))


def _occupied(connection: Connection) -> list[str]:
    names = [name for name in content.present(connection) if name not in _NEVER_EMPTY]
    return [name for name in names if connection.execute(select(1).select_from(table(name)).limit(1)).first()]


def _make_schema(connection: Connection, revision: str) -> None:
    """Empty tables as they were at ``revision``."""
    present = migrate.revision_of(connection)
    if present is not None and not migrate.is_known(present):
        raise Unfit(f"this database has schema {present} and this receiver {migrate.HEAD}: use the newer receiver")
    if present is not None:
        migrate.downgrade_within(connection, "base")
    migrate.upgrade_within(connection, revision)


def _put_all(connection: Connection, backup: Backup, progress: Progress) -> None:
    manifest = backup.manifest
    here = {name: sorted(columns) for name, columns in content.tables(connection).items()}
    if {each.table: sorted(each.columns) for each in manifest.contents} != here:
        raise Broken(f"its tables are not those of schema {manifest.revision}")
    done = 0

    def counted(chunks: Iterator[bytes]) -> Iterator[bytes]:
        nonlocal done
        for chunk in chunks:
            yield chunk
            done += chunk.count(b"\n")
            progress(done, manifest.rows)

    for each in manifest.contents:
        # What the migrations have put there.
        if each.table in _NEVER_EMPTY:
            connection.execute(delete(metadata.tables[each.table]))
        content.put(connection, each.table, each.columns, counted(backup.lines(each)))
        stored = connection.scalar(select(func.count()).select_from(table(each.table)))
        if stored != each.rows:
            raise Broken(f"of {each.rows} rows of {each.table} {stored} could be put back")
    if ledger.head(connection) != (manifest.ledger_sequence, manifest.ledger_hash):
        raise Broken("its ledger does not end where its description says")

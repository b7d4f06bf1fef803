"""A backup is made: every table of one moment, while everybody goes on."""

from contextlib import closing
from datetime import UTC, datetime
from typing import IO

from sqlalchemy import Connection, func, select, table

from .. import feed, ledger, migrate
from ..store import Store
from . import content
from .archive import Archive, Progress
from .errors import Unfit
from .manifest import Manifest


def back_up(
    store: Store, stream: IO[bytes], *, receiver: str, progress: Progress = lambda _done, _of: None
) -> tuple[Manifest, str]:
    """Write a backup to ``stream``; what is in it, and its SHA-256. ``receiver`` is the version of this one.

    Nobody waits for it: it reads one snapshot. While it does, SQLite's write-ahead log can't begin anew, and PostgreSQL
    keeps the rows that were deleted since. Raises Unfit, StoreError, OSError.
    """
    archive = Archive(stream)
    try:
        with store.snapshot() as connection:
            manifest = _everything(connection, archive, receiver, progress)
        return manifest, archive.end(manifest)
    except BaseException:
        archive.abandon()
        raise


def _everything(connection: Connection, archive: Archive, receiver: str, progress: Progress) -> Manifest:
    # The clock first: nothing that was committed before is missing from what is read after it.
    made_at = datetime.now(UTC)
    revision = migrate.revision_of(connection)
    if revision is None:
        raise Unfit('there is nothing to back up: run "receiver db upgrade" to make a database')
    if not migrate.is_known(revision):
        raise Unfit(f"the database has schema {revision} and this receiver {migrate.HEAD}: use the newer receiver")
    held = content.tables(connection)
    of = sum(connection.scalar(select(func.count()).select_from(table(name))) or 0 for name in held)
    done = [0]

    def counted(rows: int) -> None:
        done[0] += rows
        progress(done[0], of)

    contents = []
    for name, columns in held.items():
        # Closed at once where it can't be written: PostgreSQL would wait for ever for who has stopped reading.
        with closing(content.lines(connection, name, columns)) as chunks:
            contents.append(archive.add(name, columns, chunks, counted))
    sequence, head = ledger.head(connection)
    return Manifest(
        receiver=receiver,
        made_at=made_at,
        engine=connection.dialect.name,
        revision=revision,
        ledger_sequence=sequence,
        ledger_hash=head,
        feed_end=feed.given_out(connection) if "position" in held["messages"] else 0,
        contents=tuple(contents),
    )

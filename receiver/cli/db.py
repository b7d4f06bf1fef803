"""``receiver db``: the database's schema, and its backups."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import click

from receiver.access import Action
from receiver.store import audit_log
from receiver.store.migrate import HEAD
from receiver.store.store import Store

from .acts import confirm_loss
from .backup import backup, check_backup, restore
from .database import NoDatabase, refuse_missing, settings, sqlite_file
from .output import CHINA, hint


@click.group("db")
def command() -> None:
    """The database: bring its schema up to date or take it back, back it up, and restore it.

    "receiver serve" brings it up to date by itself.

    \b
    Examples:
      receiver db upgrade
      receiver db current
      receiver db downgrade 0001
      receiver db backup -o receiver.backup
    """


for each in (backup, check_backup, restore):
    command.add_command(each)


@command.command("upgrade")
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Bring the schema to REVISION (the newest one unless given), and make the database where there is none.

    Safe while the receiver runs, and from many places at once.
    """
    chosen = settings()
    path = sqlite_file(chosen)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    with _schema(Store(chosen.url, pooled=False)) as store:
        before = store.revision()
        store.upgrade(revision)
        after = store.revision()
    click.echo(f"{after}: it was there already" if before == after else f"{before or 'nothing'} -> {after}")


@command.command("downgrade")
@click.argument("revision")
@click.option("--yes", is_flag=True, help="Don't ask.")
def downgrade(revision: str, yes: bool) -> None:
    """Take the schema back to REVISION: "base" removes everything, -1 what came last.

    Whatever is stored in what the later revisions made is lost. Stop the receiver before.

    \b
    Examples:
      receiver db downgrade -- -1
      receiver db downgrade base --yes
    """
    chosen = settings()
    refuse_missing(chosen)
    with _schema(Store(chosen.url, pooled=False)) as store:
        before = _revision(store)
        if not yes:
            confirm_loss(
                f"Take {store.description} from {before} back to {revision}? The rows that go with it are lost."
            )
        store.downgrade(revision)
        click.echo(f"{before} -> {store.revision() or 'nothing'}")


@command.command("current")
def current() -> None:
    """Print the schema's revision, and whether it is the newest."""
    chosen = settings()
    refuse_missing(chosen)
    with _schema(Store(chosen.url, pooled=False)) as store:
        revision = _revision(store)
        last = _last_backup(store) if revision == HEAD else None
    click.echo(f"{revision} (head)" if revision == HEAD else revision)
    if revision != HEAD:
        click.echo(f'This receiver needs {HEAD}: run "receiver db upgrade", or use the newer receiver', err=True)
    else:
        hint(f"Last backup: {last.astimezone(CHINA):%Y-%m-%d %H:%M} (UTC+8)" if last else "There was no backup yet")


def _last_backup(store: Store) -> datetime | None:
    with store.reading() as connection:
        return audit_log.last(connection, Action.DATABASE_BACKED_UP)


@contextmanager
def _schema(store: Store) -> Iterator[Store]:
    from alembic.util import CommandError

    try:
        yield store
    except CommandError as error:
        raise click.BadParameter(f"{error}. Write head, base, a revision such as {HEAD}, or -1.") from error
    finally:
        store.close()


def _revision(store: Store) -> str:
    revision = store.revision()
    if revision is None:
        raise NoDatabase(f'no database yet in {store.description}: run "receiver db upgrade" (or "receiver serve")')
    return revision

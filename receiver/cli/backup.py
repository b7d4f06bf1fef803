"""``receiver db backup``, ``restore`` and ``check-backup``: everything into one file, and back into a database."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click

from receiver import build
from receiver.access import Action
from receiver.intake.spool import Spool, spool_of
from receiver.optout.verify import verify as verification
from receiver.store import backup as backups
from receiver.store.backup import Backup, BackupError, Manifest
from receiver.store.errors import StoreError
from receiver.store.migrate import HEAD
from receiver.store.store import Store

from .acts import confirm_loss, own_act, watched
from .database import NoDatabase, refuse_missing, settings, sqlite_file
from .output import CHINA, Column, Format, details, format_option
from .whole_file import replacing

_BACKUP = (
    Column("file"),
    Column("made_at", fixed=True),
    Column("engine"),
    Column("revision"),
    Column("receiver"),
    Column("rows", show=lambda rows: f"{rows:,}"),
    Column("bytes", show=lambda size: f"{size:,}"),
    Column("ledger_head", fixed=True),
    Column("sha256", fixed=True),
)
_RESTORED = (*_BACKUP, Column("in_doubt"), Column("ledger_ok", style=lambda ok: "green" if ok else "bold red"))
# SQLite's own names of what belongs to a database.
_BESIDE = ("", "-wal", "-shm", "-journal")


@click.command("backup", short_help="Write everything into one file, while the receiver runs.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Where to write it."
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@format_option
def backup(output: Path, force: bool, chosen_format: Format) -> None:
    """Write everything that the database holds into FILE, while the receiver runs; nobody waits for it.

    The file appears whole or not at all, and only you may read it. It holds phones, texts and the hashes of passwords:
    keep it as you keep the database, and encrypt it before it leaves the machine. PostgreSQL's own programs are not
    needed. What is not in it: settings (.env), replies that are in the spool (in DATA_DIR), the index of
    words, which is made anew, and who is logged in.

    \b
    Examples:
      receiver db backup -o /backup/receiver-$(date +%F).backup
      receiver db backup -o receiver.backup --force --format json
    """
    if str(output) == "-":
        raise click.UsageError("a backup is a file: name one with -o")
    chosen = settings()
    refuse_missing(chosen)
    own = sqlite_file(chosen)
    if own is not None and os.path.realpath(output) in [os.path.realpath(own) + end for end in _BESIDE]:
        raise click.UsageError(f"{output} is the database itself: name another file")
    with closing(Store(chosen.url, pooled=False)) as store:
        if store.revision() is None:
            raise NoDatabase(f'no database yet in {store.description}: run "receiver db upgrade" (or "receiver serve")')
        try:
            with watched("backing up") as progress, replacing(output, force=force) as stream:
                manifest, digest = backups.back_up(store, stream, receiver=build.VERSION, progress=progress)
                size = stream.tell()
                _note(store, manifest, digest)
        except BackupError as unfit:
            raise NoDatabase(str(unfit)) from None
        except OSError as error:
            raise click.ClickException(f"can't write {output}: {error.strerror or error}") from error
    details(_row(output, manifest, size, digest), _BACKUP, chosen_format)
    _warn_of_spool(spool_of(chosen))


@click.command("check-backup", short_help="Tell whether a backup is whole.")
@click.argument("file", type=click.Path(path_type=Path))
@format_option
def check_backup(file: Path, chosen_format: Format) -> None:
    """Read every byte and every row of the backup in FILE, and tell what is in it. Needs no database.

    Exit status 1 where it is cut off, damaged or edited. Whoever edits it on purpose can make its checksum anew: so
    compare sha256 with what "receiver db backup" printed, or ledger_head with a head that you keep elsewhere.

    \b
    Examples:
      receiver db check-backup /backup/receiver-2026-11-28.backup
    """
    with _opened(file) as backup, watched("checking") as progress:
        backup.check(progress)
    # Outside: what can't be printed is not the file's fault.
    details(_row(file, backup.manifest, backup.size, backup.sha256), _BACKUP, chosen_format)


@click.command("restore", short_help="Put a backup back into an empty database.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace what is in the database.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@format_option
def restore(file: Path, force: bool, yes: bool, chosen_format: Format) -> None:
    """Put the backup in FILE back into the configured database, which must be empty; then verify the ledger.

    All of it or nothing: a file that is damaged, or of a newer receiver, is refused, and a restore that breaks off
    has changed nothing. An older backup is brought up to this receiver's schema. Stop the receiver before.

    What came after the backup is not in it, and the gateway does not deliver it again: also who said stop since.

    \b
    Examples:
      receiver db restore /backup/receiver-2026-11-28.backup
      receiver db restore receiver.backup --force --yes
    """
    chosen = settings()
    own = sqlite_file(chosen)
    with _opened(file) as backup, closing(Store(chosen.url, pooled=False)) as store:
        backups.refuse_unfit(store, backup.manifest)
        with watched("checking") as progress:
            backup.check(progress)
        occupied = [] if own is not None and _is_made(own) else backups.occupied(store)
        _allow(store, occupied, force, yes)
        act = own_act(Action.DATABASE_RESTORED, **_named(backup.manifest, backup.sha256))
        with watched("restoring") as progress:
            restored = backups.restore(store, backup, replace=bool(occupied), noted=act.note, progress=progress)
        with watched("verifying the ledger") as progress:
            found = verification(store, progress=progress)
    row = {
        **_row(file, backup.manifest, backup.size, backup.sha256),
        "in_doubt": restored.in_doubt,
        "ledger_ok": found.ok,
    }
    details(row, _RESTORED, chosen_format)
    _tell_what_is_missing(backup.manifest, restored.in_doubt)
    if not found.ok:
        problem = f"event {found.finding.sequence} {found.finding.problem}" if found.finding else found.disagreements[0]
        raise click.ClickException(
            f"it is put back as it was backed up, and its ledger is not right: {problem}. See receiver optouts verify"
        )


def _is_made(file: Path) -> bool:
    """Whether a SQLite database is made there only now; then its folder is there. Raises ClickException."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"can't make the folder {file.parent}: {error.strerror or error}") from error
    return not file.exists()


def _allow(store: Store, occupied: list[str], force: bool, yes: bool) -> None:
    """Have a person agree that what is in the database is lost. Raises ClickException, UsageError, Abort."""
    if not occupied:
        return
    what = f"{store.description} is not empty, there are rows in {', '.join(occupied)}"
    if not force:
        raise click.ClickException(f"{what}: name an empty database, or replace all of it with --force")
    if not yes:
        confirm_loss(f"{what}. Replace all of it by the backup? It is lost.")


def _tell_what_is_missing(manifest: Manifest, in_doubt: int) -> None:
    since = manifest.made_at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
    lines = [
        f"This is how it was at {since} (UTC+8). What came after is lost, and the gateway does not send it again:",
        "- Replies, and who said stop in them. Before anything is sent, ask the gateway for its records,",
        '  and add these phones with "receiver optouts import".',
        "- What people did: opt-outs added or lifted, keys revoked, people shut out, subscribers erased. Do it again.",
        "- Everybody logs in to the console anew. Who follows the feed goes on from where they were.",
    ]
    if in_doubt:
        lines.append(
            f"- {in_doubt:,} texts were queued then, and may have been sent since: they are in doubt and are not sent. "
            'See "receiver gateway sends list --in-doubt".'
        )
    click.echo("\n".join(lines), err=True)


@contextmanager
def _opened(file: Path) -> Iterator[Backup]:
    """The whole backup in ``file``; what is wrong with it, in this block too, as ClickException."""
    try:
        with backups.opened(file) as backup:
            yield backup
    except BackupError as wrong:
        raise click.ClickException(f"{file}: {wrong}. Nothing was changed") from None
    except OSError as error:
        raise click.ClickException(f"can't read {file}: {error.strerror or error}") from error


def _warn_of_spool(spool: Spool) -> None:
    """What was acknowledged while the database was away, and is not in it yet, is not in its backup."""
    try:
        waiting = spool.status().waiting
    except OSError as error:
        # The backup is made, and good: the exit status shall not say otherwise.
        why = error.strerror or error
        click.echo(
            f"Warning: the backup is made; {spool.folder.absolute()} can't be read ({why}), so it is not known whether "
            'replies wait there that are not in it: see "receiver doctor"',
            err=True,
        )
        return
    if waiting:
        click.echo(
            f"Warning: {waiting:,} replies are in the spool of this machine and not in the backup: "
            'see "receiver spool status", and back up again when it is empty',
            err=True,
        )


def _note(store: Store, manifest: Manifest, digest: str) -> None:
    """Tell the audit, which also is how it is known when the last one was made. A database that can't be written is no
    reason to have no backup of it.
    """
    try:
        if manifest.revision == HEAD:
            own_act(Action.DATABASE_BACKED_UP, **_named(manifest, digest)).record(store)
            return
        why = f"the database has schema {manifest.revision}, not {HEAD}"
    except StoreError as failure:
        why = str(failure)
    click.echo(f"Warning: the backup is made, and the audit does not know of it: {why}", err=True)


def _named(manifest: Manifest, digest: str) -> dict[str, Any]:
    return {"rows": manifest.rows, "file_sha256": digest}


def _row(file: Path, manifest: Manifest, size: int, digest: str) -> dict[str, Any]:
    return {
        "file": str(file),
        "made_at": manifest.made_at,
        "engine": manifest.engine,
        "revision": manifest.revision,
        "receiver": manifest.receiver,
        "rows": manifest.rows,
        "bytes": size,
        "ledger_head": f"{manifest.ledger_sequence}:{manifest.ledger_hash}",
        "sha256": digest,
    }

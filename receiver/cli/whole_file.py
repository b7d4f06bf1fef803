"""A file that appears whole or not at all, for its owner's eyes."""

import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import click

from receiver.intake.spool.disk import fsync_folder

_SUFFIX = ".part"


@contextmanager
def replacing(output: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """A file beside ``output`` that takes its place, on disk, when the block is left without an error.

    Without ``force`` nothing is replaced, be it made in the meantime. What killed processes have left there of this
    very file is removed. Raises ClickException, OSError.
    """
    target = Path(os.path.realpath(output))
    if target.exists():
        if not stat.S_ISREG(target.stat().st_mode):
            raise click.ClickException(f"{output} is no regular file: name one")
        if not force:
            raise _exists(output)
    _remove_leftovers(target)
    stream, name = _begun(target)
    try:
        with stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            if force:
                os.replace(name, target)
            else:
                _publish(name, target, output)
        _have_name_on_disk(target.parent)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


def _begun(target: Path) -> tuple[IO[bytes], str]:
    """A new file beside ``target``, locked for as long as it is open: so others know that it is no leftover."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=_SUFFIX, dir=target.parent)
        _lock(handle)
        if os.fstat(handle).st_nlink:  # else taken for one before it was locked
            return os.fdopen(handle, "wb"), name
        os.close(handle)


def _remove_leftovers(target: Path) -> None:
    for path in target.parent.iterdir():
        if path.name.startswith(f".{target.name}.") and path.name.endswith(_SUFFIX):
            with suppress(OSError):  # another's, or gone by now
                handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                try:
                    if _lock(handle):
                        path.unlink()
                finally:
                    os.close(handle)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held by who writes it, or a file system without locks: then nothing counts as a leftover
        return False
    return True


def _publish(name: str, target: Path, output: Path) -> None:
    try:
        os.link(name, target)
    except FileExistsError:
        raise _exists(output) from None
    except OSError:  # a file system without links: another may come in between here, and is replaced
        if target.exists():
            raise _exists(output) from None
        os.replace(name, target)


def _exists(output: Path) -> click.ClickException:
    return click.ClickException(f"{output} exists: choose another name, or replace it with --force")


def _have_name_on_disk(folder: Path) -> None:
    try:
        fsync_folder(folder)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that knows no such thing
            raise

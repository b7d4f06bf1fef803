"""The spool of pulled replies: each answer of the gateway in a file of its own, on disk before anything else can fail.

``DATA_DIR/spool/poll/<id>.reply`` is complete; ``.part`` is being written, or was when its writer died; ``.corrupt``
is what can't be read, set aside with its bytes. A file is written under its temporary name, fsynced, renamed, and its
folder fsynced. Its first line names the format and the SHA-256 of all that follows: a line of JSON, then the answer.
"""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

from receiver.intake.spool.disk import fsync_folder, write_all
from receiver.vocabulary import new_id

from .answer import Answer, Corrupt, OtherVersion, packed, unpacked

_log = logging.getLogger(__name__)

_COMPLETE, _PART, _CORRUPT = ".reply", ".part", ".corrupt"
_LOCK = ".lock"
_RESERVED = ".reserved-"
# More than any answer takes with its head (receiver.gateway.client.transport.LARGEST_ANSWER).
_ROOM = 128 * 1024


class Spool:
    """The folder, shared by all processes of one DATA_DIR. Nothing is made before it is needed."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / "spool" / "poll"
        self._reserved: tuple[Path, int] | None = None

    def keep(self, answer: Answer) -> None:
        """Put an answer on disk: it is there, whatever happens, when this returns. Raises OSError."""
        complete = self._path(answer.id, _COMPLETE)
        with self._locked(fcntl.LOCK_SH):
            written = self._written(answer)
            os.rename(written, complete)
            fsync_folder(self.folder)

    def reserve(self) -> None:
        """Have room for one answer: the next ``keep`` needs none of the disk's. Raises OSError."""
        self._make_folder()
        if self._reserved is not None and self._reserved[0].exists():
            return
        self.release()
        path = self.folder / f"{_RESERVED}{new_id()}"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            # Held while we live, so that nobody takes it for a dead one's.
            fcntl.flock(handle, fcntl.LOCK_SH)
            os.posix_fallocate(handle, 0, _ROOM)
            os.fsync(handle)
            fsync_folder(self.folder)
        except BaseException:
            os.close(handle)
            path.unlink(missing_ok=True)
            raise
        self._reserved = path, handle

    def release(self) -> None:
        """Give the room back. Raises OSError."""
        if self._reserved is not None:
            path, handle = self._reserved
            self._reserved = None
            os.close(handle)
            path.unlink(missing_ok=True)

    def waiting(self) -> list[UUID]:
        """The answers that are kept, the oldest first. Raises OSError."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        return sorted(_ids(names, suffix=_COMPLETE))

    def read(self, answer_id: UUID) -> Answer | None:
        """A kept answer; None where another process was faster. Raises Corrupt, OtherVersion, OSError."""
        try:
            return unpacked(self._path(answer_id, _COMPLETE).read_bytes(), answer_id)
        except FileNotFoundError:
            return None

    def remove(self, answer_id: UUID) -> None:
        """Forget an answer that is stored elsewhere. Raises OSError."""
        self._path(answer_id, _COMPLETE).unlink(missing_ok=True)
        fsync_folder(self.folder)

    def set_aside(self, answer_id: UUID, why: Corrupt) -> None:
        """Take a corrupt file out of the way of the others, with its bytes. Raises OSError."""
        self._set_aside(self._path(answer_id, _COMPLETE), self._path(answer_id, _CORRUPT), why)

    def adopt(self) -> None:
        """Take over what a dead writer left: a complete answer is kept, a torn one set aside. Raises OSError."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return
        if not any(name.endswith(_PART) or name.startswith(_RESERVED) for name in names):
            return
        # A writer holds the lock as long as its file is incomplete, and a dead one holds none.
        with suppress(BlockingIOError), self._locked(fcntl.LOCK_EX | fcntl.LOCK_NB):
            names = os.listdir(self.folder)
            for answer_id in _ids(names, suffix=_PART):
                self._adopt(self._path(answer_id, _PART), answer_id)
            for reserved_id in _ids(names, prefix=_RESERVED):
                self._adopt_reserved(reserved_id)

    def corrupt(self) -> int:
        """How many files were set aside, and are for a person to look at. Raises OSError."""
        try:
            return sum(name.endswith(_CORRUPT) for name in os.listdir(self.folder))
        except FileNotFoundError:
            return 0

    def _adopt_reserved(self, reserved_id: UUID) -> None:
        """Give back room of a process that is gone, and keep the answer that it may have written there."""
        path = self.folder / f"{_RESERVED}{reserved_id}"
        with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if held.read().strip(b"\0"):
                self._adopt(path, reserved_id)
            else:
                path.unlink()

    def _adopt(self, written: Path, answer_id: UUID) -> None:
        content, why = written.read_bytes(), Corrupt("it is torn")
        # Its writer may have died before it gave back the room behind the answer.
        for size in (len(content), len(content.rstrip(b"\0"))):
            try:
                unpacked(content[:size], answer_id)
                break
            except OtherVersion:
                return
            except Corrupt as wrong:
                why = wrong
        else:
            self._set_aside(written, self._path(answer_id, _CORRUPT), why)
            return
        with written.open("r+b") as stream:
            stream.truncate(size)
            os.fsync(stream.fileno())  # its writer may have died before it did
        os.rename(written, self._path(answer_id, _COMPLETE))
        fsync_folder(self.folder)

    def _set_aside(self, path: Path, aside: Path, why: Corrupt) -> None:
        try:
            os.rename(path, aside)
        except FileNotFoundError:
            return  # another process did
        fsync_folder(self.folder)
        _log.error("a spooled reply can't be read, %s: its bytes are in %s", why, aside)

    def _written(self, answer: Answer) -> Path:
        """A file with the answer, on disk: in the room that was reserved, where there is some. Raises OSError."""
        content = packed(answer)
        if self._reserved is not None and len(content) <= _ROOM:
            (path, handle), self._reserved = self._reserved, None
            _write(handle, content)
            if path.exists():
                return path
        path = self._path(answer.id, _PART)
        try:
            _write(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), content)
        except OSError:
            with suppress(OSError):
                path.unlink()
            raise
        return path

    def _path(self, answer_id: UUID, suffix: str) -> Path:
        return self.folder / f"{answer_id}{suffix}"

    def _make_folder(self) -> None:
        if not self.folder.is_dir():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.folder.parent, self.folder.parent.parent):
                fsync_folder(folder)

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        self._make_folder()
        lock = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, how)
            yield
        finally:
            os.close(lock)


def _ids(names: list[str], *, prefix: str = "", suffix: str = "") -> Iterator[UUID]:
    for name in names:
        if name.startswith(prefix) and name.endswith(suffix):
            with suppress(ValueError):  # somebody else's file
                yield UUID(name.removeprefix(prefix).removesuffix(suffix))


def _write(handle: int, content: bytes) -> None:
    try:
        write_all(handle, content)
        os.ftruncate(handle, len(content))  # what was reserved and not needed
        os.fsync(handle)
    finally:
        os.close(handle)

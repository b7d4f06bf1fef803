"""One file of the spool: lines that are only ever appended, each on disk before its delivery is acknowledged.

Who writes it holds its lock, and so does who empties it: of two processes one has it, and a dead one has none.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from receiver.vocabulary import new_id

from .disk import fsync_folder, write_all
from .line import BEGIN, END, Corrupt, Spooled, item_of, line_of

SUFFIX = ".push"
_FORMAT, _VERSION = b"receiver-push ", b"1"
HEAD = _FORMAT + _VERSION + END


class OtherVersion(Exception):
    """A file that another version of the receiver wrote, and can read."""


class Segment:
    """A file that is being written. Every method raises OSError."""

    def __init__(self, folder: Path) -> None:
        self.id = new_id()
        self.path = folder / f"{self.id}{SUFFIX}"
        begun = folder / f".{self.id}"
        self._file = os.open(begun, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            # Locked before it can be found, so that nobody takes it for a dead one's.
            fcntl.flock(self._file, fcntl.LOCK_EX)
            write_all(self._file, HEAD)
            os.fsync(self._file)
            os.rename(begun, self.path)
            fsync_folder(folder)
        except BaseException:
            os.close(self._file)
            for path in (begun, self.path):
                path.unlink(missing_ok=True)
            raise
        self.size = len(HEAD)
        self._said = bytearray()

    def append(self, items: Iterable[Spooled]) -> None:
        """Have ``items`` on disk when this returns. After an error nothing more may be appended."""
        said = b"".join(map(line_of, items))
        try:
            write_all(self._file, said)
            os.fdatasync(self._file)
        except OSError:
            # What was answered with an error should not be there. Where it stays all the same, it is stored: nobody
            # is harmed by a reply that was not acknowledged.
            with suppress(OSError):
                os.ftruncate(self._file, self.size)
            raise
        self.size += len(said)
        self._said += said

    def is_in_place(self) -> bool:
        """Whether it is whole, where whoever empties it looks.

        A deleted file takes what is appended and keeps none of it; one that somebody has cut has lost what it had.
        """
        try:
            found = os.stat(self.path)
            return os.path.samestat(found, os.fstat(self._file)) and found.st_size >= self.size
        except (FileNotFoundError, NotADirectoryError):
            return False

    def items(self) -> list[Spooled]:
        """All that was appended, whatever became of the file."""
        return content_in(HEAD + bytes(self._said)).items

    def close(self) -> None:
        """Leave it to whoever empties it."""
        os.close(self._file)


@dataclass(slots=True)
class Content:
    """What a file holds: ``damaged`` are pieces that had been written whole, ``torn`` the end of one that never was."""

    items: list[Spooled] = field(default_factory=list)
    damaged: list[bytes] = field(default_factory=list)
    torn: bytes = b""


def content_of(path: Path) -> Content:
    """What is in a file. Raises OtherVersion, OSError."""
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is no regular file")  # a pipe would be waited for
    return content_in(path.read_bytes())


def content_in(written: bytes) -> Content:
    """What the bytes of a file hold. Raises OtherVersion."""
    head, _, body = written.partition(END)
    if head.startswith(_FORMAT) and head + END != HEAD:
        version = head.removeprefix(_FORMAT)[:20].decode("ascii", "replace")
        raise OtherVersion(f"a file of the spool has format {version}, and this receiver reads {_VERSION.decode()}")
    if head + END != HEAD:
        body = written  # the file's beginning is damaged, and its lines may be whole all the same
    found = Content()
    if not written:
        found.damaged.append(b"")  # a file has its head from its first moment
    *others, last = body.split(BEGIN)
    for piece in others:
        line, _, rest = piece.partition(END)
        found.damaged += [each for each in (_taken(found, line), _without_begin(found, rest)) if each]
    line, end, rest = last.partition(END)
    if end:
        found.damaged += [each for each in (_taken(found, line), _without_begin(found, rest)) if each]
    elif _taken(found, line) and _taken(found, line[:-1]):  # its end alone may be missing, or another
        if _begins_a_line(line):
            found.torn = line
        else:
            found.damaged.append(line)
    return found


def _without_begin(found: Content, rest: bytes) -> bytes:
    """Add the line that stands behind another's end, its own begin damaged; all of it where it can't be read.

    It is nothing torn, which would begin as a line does.
    """
    return rest if _taken(found, rest[1:].removesuffix(END)) else b""


def _begins_a_line(piece: bytes) -> bool:
    """Whether it can be the beginning of what we write, broken off: else it was whole once, and may say stop."""
    return piece.isascii() and piece.decode("ascii").isprintable()


def _taken(found: Content, line: bytes) -> bytes:
    """Add what ``line`` holds; the line itself where it can't be read."""
    if line:
        try:
            found.items.append(item_of(line))
        except Corrupt:
            return line
    return b""


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Whether nobody writes or empties the file, which nobody else then does while the block lasts. Raises OSError."""
    try:
        held = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe that somebody put there is not waited for
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        # Somebody may have emptied and deleted it between our looking and locking.
        yield os.fstat(held).st_nlink > 0
    finally:
        os.close(held)


def segments(folder: Path) -> list[Path]:
    """The files of a folder, the oldest first. Raises OSError."""
    found = []
    with suppress(FileNotFoundError):
        for name in os.listdir(folder):
            with suppress(ValueError):  # somebody else's file
                if name.endswith(SUFFIX):
                    found.append((UUID(name.removesuffix(SUFFIX)), folder / name))
    return [path for _, path in sorted(found)]

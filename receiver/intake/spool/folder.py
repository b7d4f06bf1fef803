"""The spool of pushed replies: where they are durable while the database can't be used. ``DATA_DIR/spool/push``.

``<id>.push`` has what was acknowledged; each process writes one of its own, any process of the machine may empty what
nobody writes. ``<id>.damaged`` is what can't be read, set aside with its bytes: for a person to look at. ``<id>.torn``
is the end of a write that its process did not live to acknowledge. ``<id>.settled`` was
damaged, and a person has seen to it.
"""

import logging
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .disk import fsync_folder, write_all
from .line import Spooled, is_stop
from .segment import SUFFIX, Content, OtherVersion, Segment, content_in, content_of, segments

_log = logging.getLogger(__name__)

DAMAGED, TORN, SETTLED = ".damaged", ".torn", ".settled"
_MEGABYTE = 1 << 20
# A file is read whole when it is emptied.
_LARGEST_SEGMENT = 8 * _MEGABYTE
_LOOK_SECONDS = 1.0


class Full(OSError):
    """There is no room that the spool may take; the message says why."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large the folder may become, and how much of the disk it leaves free, in bytes."""

    most: int
    least_free: int

    @classmethod
    def of_megabytes(cls, most: int, least_free: int) -> "Limits":
        return cls(most * _MEGABYTE, least_free * _MEGABYTE)


@dataclass(slots=True)
class Status:
    """What waits in the spool, and what was set aside."""

    files: int = 0
    size: int = 0
    """Bytes of all files."""
    waiting: int = 0
    stops: int = 0
    oldest: datetime | None = None
    other_versions: int = 0
    unreadable: int = 0
    """Files that can't be opened or read: somebody else's, or on a disk that fails."""
    damaged: int = 0
    torn: int = 0


class Spool:
    """The folder, shared by all processes of one DATA_DIR; one object writes from one thread at a time."""

    def __init__(self, data_dir: Path, limits: Limits) -> None:
        self.folder = data_dir / "spool" / "push"
        self._limits = limits
        self._segment: Segment | None = None
        self._size, self._looked = 0, float("-inf")

    def keep(self, items: Sequence[Spooled]) -> None:
        """Have ``items`` on disk, whatever happens, when this returns. Raises Full, OSError: then none is promised."""
        self.check_room()
        if self._segment is None:
            self._make_folder()
            self._segment = Segment(self.folder)
        before = self._segment.size
        try:
            self._segment.append(items)
        except OSError:
            # After a failed fsync nobody knows what of a file is on disk: what comes next goes into another.
            self._leave()
            raise
        self._put_back()
        self._size += self._segment.size - before
        if self._segment.size >= _LARGEST_SEGMENT:
            self.seal()

    def seal(self) -> None:
        """Leave what was written to whoever empties it. Raises OSError: then it is tried again with the next."""
        self._put_back()
        self._leave()

    def _leave(self) -> None:
        if self._segment is not None:
            segment, self._segment = self._segment, None
            segment.close()

    def _put_back(self) -> None:
        """Write again what was acknowledged, where its file was cut, or it or its folder deleted or moved under us."""
        gone = self._segment
        if gone is None or gone.is_in_place():
            return
        _log.error("%s was deleted, moved or cut while it was written: what it held is written again", gone.path)
        self._make_folder()
        another = Segment(self.folder)
        try:
            another.append(gone.items())
        except OSError:
            another.close()
            raise
        self._segment = another
        gone.close()

    def is_empty(self) -> bool:
        """Whether nothing waits. Raises OSError."""
        return not segments(self.folder)

    def is_clear(self) -> bool:
        """Whether no unsubscribe can wait here; while one may, nobody is texted (guarantee 2): it fails closed.

        What can't be read or stored was acknowledged too, and holds sends until a person has seen to it (``settle``).
        """
        try:
            return self.is_empty() and not self.damaged()
        except OSError as failure:
            _log.error("the spool can't be looked into, so nobody may be texted: %s", failure)
            return False

    def waiting(self) -> list[Path]:
        """The files in which something waits, the oldest first. Raises OSError."""
        return segments(self.folder)

    def damaged(self) -> list[Path]:
        """The files of what can't be read or stored, and no person has seen to. Raises OSError."""
        return [self.folder / name for name in sorted(_names(self.folder)) if name.endswith(DAMAGED)]

    def settle(self, path: Path) -> None:
        """Have a damaged file hold no sends any more: its bytes stay, under another name. Raises OSError."""
        path.rename(path.with_suffix(SETTLED))
        fsync_folder(self.folder)

    def remove(self, path: Path, content: Content) -> None:
        """Forget a file whose items are stored elsewhere; what of it can't be read is set aside. Raises OSError."""
        for suffix, pieces in ((DAMAGED, content.damaged), (TORN, [content.torn] if content.torn else [])):
            if pieces:
                self._set_aside(path.with_name(path.name.removesuffix(SUFFIX) + suffix), pieces)
        path.unlink()
        fsync_folder(self.folder)

    def look(self) -> Status:
        """What is there now, from the names and sizes of files alone. Raises OSError."""
        names = _names(self.folder)
        return Status(
            files=sum(name.endswith(SUFFIX) for name in names),
            size=_size(self.folder),
            damaged=sum(name.endswith(DAMAGED) for name in names),
            torn=sum(name.endswith(TORN) for name in names),
        )

    def status(self) -> Status:
        """The same with what is in the files. Raises OSError."""
        found = self.look()
        for path in segments(self.folder):
            try:
                items = content_of(path).items
            except OtherVersion:
                found.other_versions += 1
                continue
            except FileNotFoundError:
                continue  # emptied meanwhile
            except OSError:
                found.unreadable += 1
                continue
            found.waiting += len(items)
            found.stops += sum(map(is_stop, items))
            times = [item.received_at for item in items] + ([found.oldest] if found.oldest else [])
            found.oldest = min(times, default=None)
        return found

    def stops(self) -> int:
        """How many unsubscribes wait, as far as the first megabyte tells. Raises OSError."""
        found, left = 0, _MEGABYTE
        for path in segments(self.folder):
            with suppress(FileNotFoundError, OtherVersion), path.open("rb") as file:  # emptied meanwhile; not for us
                read = file.read(left)
                left -= len(read)
                found += sum(map(is_stop, content_in(read).items))
        return found

    def check_room(self) -> None:
        """Raises Full where nothing more is taken now, OSError."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked, self._size = now, _size(self.folder)
        if self._size >= self._limits.most:
            raise Full(f"the spool has the {self._limits.most // _MEGABYTE} MB that it may have")
        disk = os.statvfs(_nearest(self.folder))
        if disk.f_bavail * disk.f_frsize < self._limits.least_free:
            raise Full(f"the disk has less than {self._limits.least_free // _MEGABYTE} MB left")

    def _set_aside(self, aside: Path, pieces: Sequence[bytes]) -> None:
        file = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            write_all(file, b"\n".join(pieces))
            os.fsync(file)
        finally:
            os.close(file)
        fsync_folder(self.folder)
        told = "can't be read" if aside.suffix == DAMAGED else "was being written as its process ended, unacknowledged"
        _log.error("a part of the spool %s: its bytes are in %s", told, aside)

    def _make_folder(self) -> None:
        if not self.folder.is_dir():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.folder.parent, self.folder.parent.parent):
                fsync_folder(folder)


def _names(folder: Path) -> list[str]:
    with suppress(FileNotFoundError):
        return os.listdir(folder)
    return []


def _size(folder: Path) -> int:
    size = 0
    for name in _names(folder):
        with suppress(FileNotFoundError):
            size += (folder / name).stat().st_size
    return size


def _nearest(folder: Path) -> Path:
    """The folder, or the one of those above it that exists."""
    return next(each for each in (folder, *folder.parents) if each.exists())

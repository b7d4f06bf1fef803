"""The spool of pulled replies: each answer of the gateway in a file of its own, on disk before anything else can fail.

``DATA_DIR/spool/poll/<id>.reply`` is complete; ``.part`` is being written, or was when its writer died; ``.corrupt``
is what can't be read, set aside with its bytes. A file is written under its temporary name, fsynced, renamed, and its
folder fsynced. Its first line names the format and the SHA-256 of all that follows: a line of JSON, then the answer.
"""

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from receiver.vocabulary import new_id

_log = logging.getLogger(__name__)

_FORMAT = b"receiver-poll"
_VERSION = b"1"
_COMPLETE, _PART, _CORRUPT = ".reply", ".part", ".corrupt"
_LOCK = ".lock"
# More than any answer takes.
_PROBE = b"\0" * 65_536


class OtherVersion(Exception):
    """A file that another version of the receiver wrote, and can read."""


class Corrupt(Exception):
    """A file that is not what was written; the message says what is wrong, and quotes nothing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of readsms.asp as it came, and what it was read with. ``id`` becomes the message's."""

    id: UUID
    read_at: datetime
    account: str
    charset: str
    body: bytes

    def __repr__(self) -> str:
        return f"Answer({self.id}, {len(self.body)} bytes)"  # what it says is nobody's business


class Spool:
    """The folder, shared by all processes of one DATA_DIR. Nothing is made before it is needed."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / "spool" / "poll"

    def keep(self, answer: Answer) -> None:
        """Put an answer on disk: it is there, whatever happens, when this returns. Raises OSError."""
        part, complete = self._path(answer.id, _PART), self._path(answer.id, _COMPLETE)
        with self._locked(fcntl.LOCK_SH):
            try:
                _write(part, _packed(answer))
            except OSError:
                with suppress(OSError):
                    part.unlink()
                raise
            os.rename(part, complete)
            _fsync_folder(self.folder)

    def probe(self) -> None:
        """Prove that an answer could be kept now. Raises OSError."""
        self._make_folder()
        path = self.folder / f".probe-{new_id()}"
        try:
            _write(path, _PROBE)
        finally:
            path.unlink(missing_ok=True)

    def waiting(self) -> list[UUID]:
        """The answers that are kept, the oldest first. Raises OSError."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        return sorted(_ids(names, _COMPLETE))

    def read(self, answer_id: UUID) -> Answer | None:
        """A kept answer; None where another process was faster. Raises Corrupt, OtherVersion, OSError."""
        try:
            return _unpacked(self._path(answer_id, _COMPLETE).read_bytes(), answer_id)
        except FileNotFoundError:
            return None

    def remove(self, answer_id: UUID) -> None:
        """Forget an answer that is stored elsewhere. Raises OSError."""
        self._path(answer_id, _COMPLETE).unlink(missing_ok=True)
        _fsync_folder(self.folder)

    def set_aside(self, answer_id: UUID, why: Corrupt) -> None:
        """Take a corrupt file out of the way of the others, with its bytes. Raises OSError."""
        self._set_aside(self._path(answer_id, _COMPLETE), why)

    def adopt(self) -> None:
        """Take over what a dead writer left: a complete answer is kept, a torn one set aside. Raises OSError."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return
        if not any(name.endswith(_PART) or name.startswith(".probe-") for name in names):
            return
        # A writer holds the lock as long as its file is incomplete, and a dead one holds none.
        with suppress(BlockingIOError), self._locked(fcntl.LOCK_EX | fcntl.LOCK_NB):
            for answer_id in _ids(os.listdir(self.folder), _PART):
                self._adopt(answer_id)
        for name in names:
            if name.startswith(".probe-"):
                (self.folder / name).unlink(missing_ok=True)

    def corrupt(self) -> int:
        """How many files were set aside, and are for a person to look at. Raises OSError."""
        try:
            return sum(name.endswith(_CORRUPT) for name in os.listdir(self.folder))
        except FileNotFoundError:
            return 0

    def _adopt(self, answer_id: UUID) -> None:
        part = self._path(answer_id, _PART)
        try:
            _unpacked(part.read_bytes(), answer_id)
        except OtherVersion:
            return
        except Corrupt as why:
            self._set_aside(part, why)
            return
        with part.open("rb") as stream:
            os.fsync(stream.fileno())  # its writer may have died before it did
        os.rename(part, self._path(answer_id, _COMPLETE))
        _fsync_folder(self.folder)

    def _set_aside(self, path: Path, why: Corrupt) -> None:
        aside = path.with_suffix(_CORRUPT)
        try:
            os.rename(path, aside)
        except FileNotFoundError:
            return  # another process did
        _fsync_folder(self.folder)
        _log.error("a spooled reply can't be read, %s: its bytes are in %s", why, aside)

    def _path(self, answer_id: UUID, suffix: str) -> Path:
        return self.folder / f"{answer_id}{suffix}"

    def _make_folder(self) -> None:
        if not self.folder.is_dir():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.folder.parent, self.folder.parent.parent):
                _fsync_folder(folder)

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        self._make_folder()
        lock = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, how)
            yield
        finally:
            os.close(lock)


def _ids(names: list[str], suffix: str) -> Iterator[UUID]:
    for name in names:
        if name.endswith(suffix):
            with suppress(ValueError):  # somebody else's file
                yield UUID(name.removesuffix(suffix))


def _packed(answer: Answer) -> bytes:
    told = {"read_at": answer.read_at.isoformat(), "account": answer.account, "charset": answer.charset}
    content = json.dumps(told).encode() + b"\n" + answer.body
    return b"%s %s %s\n%s" % (_FORMAT, _VERSION, sha256(content).hexdigest().encode(), content)


def _unpacked(packed: bytes, answer_id: UUID) -> Answer:
    first, newline, content = packed.partition(b"\n")
    words = first.split(b" ")
    if not newline or words[0] != _FORMAT or len(words) < 3:
        raise Corrupt("it has no head")
    if words[1] != _VERSION:
        raise OtherVersion(f"format {words[1].decode('ascii', 'replace')}")
    if words[2] != sha256(content).hexdigest().encode():
        raise Corrupt("its SHA-256 is another")
    told, _, body = content.partition(b"\n")
    try:
        head = json.loads(told)
        read_at = datetime.fromisoformat(head["read_at"]).astimezone(UTC)
        return Answer(answer_id, read_at, str(head["account"]), str(head["charset"]), body)
    except (ValueError, KeyError, TypeError) as wrong:
        raise Corrupt("its head makes no sense") from wrong


def _write(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        remaining = memoryview(content)
        while remaining:
            remaining = remaining[os.write(handle, remaining) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _fsync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

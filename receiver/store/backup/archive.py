"""The file of a backup: a ZIP archive whose last 64 characters are the SHA-256 of all before them.

Any tool opens it. A member for each table, in the order in which they can be put back, and the manifest behind them: it
tells what is known only when all is written.
"""

import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO

from .errors import Broken
from .manifest import Content, Manifest, read

Progress = Callable[[int, int], None]

_MANIFEST = "manifest.json"
_MARK = b"receiver backup, sha256 "
_DIGITS = 64
_CHUNK = 1 << 16
_LARGEST_MANIFEST = 1 << 20
# A hundred times the longest row that there can be.
_LONGEST_LINE = 1 << 24
# Texts shrink to a third; a higher level takes twice as long for a tenth less.
_LEVEL = 1


class Archive:
    """One that is being written to ``stream``: its tables one after the other, then the manifest."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._sink = _Hashed(stream)
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)

    def add(
        self, table: str, columns: Sequence[str], chunks: Iterable[bytes], counted: Callable[[int], None]
    ) -> Content:
        """Write a table's lines, which chunks end with; ``counted`` takes how many each has. Raises OSError."""
        rows, size, digest = 0, 0, sha256()
        with self._zip.open(_member(table), "w", force_zip64=True) as member:
            for chunk in chunks:
                member.write(chunk)
                digest.update(chunk)
                lines = chunk.count(b"\n")
                rows, size = rows + lines, size + len(chunk)
                counted(lines)
        return Content(table, tuple(columns), rows, size, digest.hexdigest())

    def end(self, manifest: Manifest) -> str:
        """Write the manifest, and the SHA-256 of all; that. Raises OSError."""
        with self._zip.open(_MANIFEST, "w") as member:
            member.write(manifest.written())
        self._zip.comment = _MARK + b"0" * _DIGITS
        self._zip.close()
        return self._sink.seal()

    def abandon(self) -> None:
        """Write nothing more: what is there is thrown away."""
        self._sink.close()
        self._zip.close()


class _Hashed:
    """A stream that can't be moved about in, as ZIP allows it, and knows the hash of all but its last digits."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._digest = sha256()
        self._last = b""
        self.is_closed = False

    def write(self, data: bytes) -> int:
        if not self.is_closed:
            self._stream.write(data)
            known = self._last + data
            self._digest.update(known[:-_DIGITS])
            self._last = known[-_DIGITS:]
        return len(data)

    def flush(self) -> None:
        if not self.is_closed:
            self._stream.flush()

    def close(self) -> None:
        """Take what comes, and write none of it."""
        self.is_closed = True

    def seal(self) -> str:
        self.close()
        digest = self._digest.hexdigest()
        self._stream.flush()
        self._stream.seek(-_DIGITS, os.SEEK_END)
        self._stream.write(digest.encode())
        self._stream.flush()
        return digest


@dataclass(frozen=True, slots=True)
class Backup:
    """A file that is whole: every byte is as it was written."""

    manifest: Manifest
    size: int
    sha256: str
    _zip: zipfile.ZipFile

    def lines(self, content: Content) -> Iterator[bytes]:
        """A table's rows in chunks of whole lines. Raises Broken where they are not what the manifest says."""
        rows, size, digest, rest = 0, 0, sha256(), b""
        with _read(), self._zip.open(_member(content.table)) as member:
            while chunk := member.read(_CHUNK):
                size += len(chunk)
                if size > content.size or len(rest) > _LONGEST_LINE:
                    break
                digest.update(chunk)
                whole, end, rest = (rest + chunk).rpartition(b"\n")
                rows += whole.count(b"\n") + len(end)
                yield whole + end
        if rest or (rows, size, digest.hexdigest()) != (content.rows, content.size, content.sha256):
            raise Broken(f"its rows of {content.table} are not those that its description names")

    def check(self, progress: Progress) -> None:
        """Read every table, and hold it against the manifest. Raises Broken."""
        done = 0
        for content in self.manifest.contents:
            for chunk in self.lines(content):
                done += chunk.count(b"\n")
                progress(done, self.manifest.rows)


@contextmanager
def opened(path: Path) -> Iterator[Backup]:
    """The backup in a file, every byte of which has been read. Raises Broken, Unfit, OSError."""
    # Before it is opened: a pipe would be waited for.
    if not stat.S_ISREG(path.stat().st_mode):
        raise Broken("it is no regular file")
    with path.open("rb") as stream:
        size, digest = _whole(stream)
        stream.seek(0)
        with _read():
            archive = zipfile.ZipFile(stream)
        with archive:
            yield Backup(_manifest(archive), size, digest, archive)


def _whole(stream: IO[bytes]) -> tuple[int, str]:
    """The size and SHA-256 of a file that ends with it."""
    size = stream.seek(0, os.SEEK_END)
    end = len(_MARK) + _DIGITS
    if size < end:
        raise Broken("it is no backup of the receiver, or was cut off")
    stream.seek(-end, os.SEEK_END)
    mark, said = stream.read(len(_MARK)), stream.read(_DIGITS)
    if mark != _MARK:
        raise Broken("it is no backup of the receiver, or was cut off")
    stream.seek(0)
    digest, left = sha256(), size - _DIGITS
    while left and (chunk := stream.read(min(_CHUNK, left))):
        digest.update(chunk)
        left -= len(chunk)
    if digest.hexdigest().encode() != said:
        raise Broken("it is not what was written: damaged or edited, its SHA-256 is another")
    return size, digest.hexdigest()


def _manifest(archive: zipfile.ZipFile) -> Manifest:
    with _read():
        if archive.getinfo(_MANIFEST).file_size > _LARGEST_MANIFEST:
            raise Broken("its description is too large")
        with archive.open(_MANIFEST) as member:
            manifest = read(member.read(_LARGEST_MANIFEST + 1))
    wanted = [*(_member(content.table) for content in manifest.contents), _MANIFEST]
    if archive.namelist() != wanted:
        raise Broken("it does not hold what its description names")
    return manifest


def _member(table: str) -> str:
    return f"{table}.rows"


@contextmanager
def _read() -> Iterator[None]:
    """Have what goes wrong with the archive within this block come as Broken."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, ValueError, RuntimeError):
        raise Broken("its archive can't be read") from None

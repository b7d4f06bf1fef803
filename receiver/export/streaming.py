"""A file that is sent while it is written: in pieces worth a packet, compressed where that is wanted."""

import zlib
from collections.abc import Iterable, Iterator

# Bytes that are sent at a time.
_PIECE = 64 << 10
_GZIP = 16 + zlib.MAX_WBITS


def joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same in pieces of some size: a line each would be a packet each."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same, compressed."""
    packing = zlib.compressobj(wbits=_GZIP)
    for piece in pieces:
        if packed := packing.compress(piece):
            yield packed
    yield packing.flush()

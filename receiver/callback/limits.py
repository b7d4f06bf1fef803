"""How much of a request is read, and how one that can't be read reaches the views."""

from dataclasses import dataclass

# Bytes kept of what is larger, or of what is no request at all.
LARGEST_KEPT = 65_536
# Seconds for a request to arrive whole; between two requests of one connection too.
REQUEST_SECONDS = 10

# Where a worker puts an Unreadable in the WSGI environment.
UNREADABLE = "receiver.unreadable"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A request that no HTTP parser accepts, or not in full: what is wrong, and the bytes it began with.

    ``line_is_whole``: the request line was read to its end, so that its query is all that the request says.
    """

    detail: str
    head: bytes
    too_large: bool
    line_is_whole: bool

"""The answer the gateway reads: one number, nothing else (protocol.md §1)."""

from enum import IntEnum

# Of every answer. A cache that gave an old 0 to a new reply would lose it.
HEADERS = (("Content-Type", "text/plain"), ("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store"))


class Answer(IntEnum):
    STORED = 0
    UNUSABLE = -1
    REFUSED = -2
    TOO_LARGE = -3
    UNAVAILABLE = -4

    @property
    def body(self) -> bytes:
        """The whole body: no newline, nothing around it."""
        return _BODIES[self]


_BODIES = {value: str(int(value)).encode() for value in Answer}

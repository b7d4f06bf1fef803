"""The answer the gateway reads: one number, nothing else (protocol.md §1)."""

from enum import IntEnum


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

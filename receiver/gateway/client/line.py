"""A connection to the gateway that stands, so that a send needs but be written (protocol.md §2)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, Self

from . import request
from .answers import SendAnswer


class _Closable(Protocol):
    def close(self) -> None: ...


class Line:
    """What ``Gateway.connect`` answers, to be closed by who asked for it."""

    def __init__(
        self,
        connection: _Closable,
        send: Callable[[Sequence[tuple[str, str]], Callable[[], None]], SendAnswer],
        clock: Callable[[], datetime],
    ) -> None:
        self._connection, self._send, self._clock = connection, send, clock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, where no send did."""
        self._connection.close()

    def send(
        self,
        phones: Sequence[str],
        text: str,
        *,
        at: datetime | None = None,
        sender: str | None = None,
        long: bool = False,
        ready: Callable[[], None] = lambda: None,
    ) -> SendAnswer:
        """As ``Gateway.send``, once, within the gateway's ``timeout`` from now.

        ``ready`` is called right before the first byte leaves: what it raises ends the call, and nothing was sent.
        Raises NotSent too where the gateway has closed the connection meanwhile, and NotTaken.
        """
        fields = request.send_fields(phones, text, self._clock(), at=at, sender=sender, long=long)
        return self._send(fields, ready)

"""Calls of the simulated gateway by hand: bytes out, bytes back, and a clock that stands until it is moved."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from receiver.gateway.simulator.gateway import SimulatedGateway
from tests.callback.raw import Response, ask, exchange, get, post

LOGIN = b"name=demo&pwd=demo123"
# 20:00 in China.
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Clock:
    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def port(gateway: SimulatedGateway) -> int:
    return urlsplit(gateway.url).port or 0


def answer(gateway: SimulatedGateway, page: bytes, said: bytes = LOGIN) -> bytes:
    """The body of the answer to a GET."""
    response = ask(port(gateway), get(b"/send/" + page + b"?" + said))
    assert (response.status, response.header("Content-Type")) == (200, ["text/html"])
    return response.body


def posted(gateway: SimulatedGateway, page: bytes, form: bytes) -> Response:
    return ask(port(gateway), post(b"/send/" + page, form))


def whatever_comes(gateway: SimulatedGateway, page: bytes, said: bytes = LOGIN) -> bytes:
    """All that comes back to a GET, to the last byte, however it ends."""
    return exchange(port(gateway), get(b"/send/" + page + b"?" + said), may_reset=True)

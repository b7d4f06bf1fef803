"""A push is answered, or it is not: the simulator tells which, and never pushes twice."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from receiver.gateway.simulator.connection import Connection
from receiver.gateway.simulator.drive import Drive
from receiver.gateway.simulator.target import Target
from tests.serving import free_port

REQUEST = b"GET /recv.asp?src=1 HTTP/1.1\r\nHost: x\r\n\r\n"
STORED = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n0"


class Scripted:
    """A server that gives its n-th connection the n-th list of answers, then closes it. None: no answer, ever."""

    def __init__(self, *connections: list[bytes | None], port: int = 0) -> None:
        self.requests: list[bytes] = []
        self.accepted = 0
        self._listener = socket.create_server(("127.0.0.1", port))
        self.target = Target.of(f"http://127.0.0.1:{self._listener.getsockname()[1]}/recv.asp")
        self._connections = connections
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept(), which close() alone does not
        self._listener.close()
        self._thread.join(5)

    def _run(self) -> None:
        for answers in self._connections:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            with connection:
                for answer in answers:
                    asked = connection.recv(65_536)
                    if not asked:
                        break
                    self.requests.append(asked)
                    if answer is None:
                        connection.recv(1)
                        break
                    connection.sendall(answer)


@pytest.fixture
def serve() -> Iterator[Callable[..., Scripted]]:
    servers: list[Scripted] = []

    def make(*connections: list[bytes | None], port: int = 0) -> Scripted:
        servers.append(Scripted(*connections, port=port))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.mark.parametrize(
    ("answer", "said", "acknowledged"),
    [
        (STORED, "0", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n-4", "-4", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n0\n", "HTTP 200: '0\\n'", False),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 1\r\n\r\n0", "HTTP 500: '0'", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n0\r\n0\r\n\r\n", "0", True),
    ],
)
def test_only_a_bare_zero_with_status_200_acknowledges(
    serve: Callable[..., Scripted], answer: bytes, said: str, acknowledged: bool
) -> None:
    with Connection(serve([answer]).target) as connection:
        got = connection.ask(REQUEST)
    assert (got.said, got.answered, got.acknowledged) == (said, True, acknowledged)


def test_one_connection_serves_many_pushes(serve: Callable[..., Scripted]) -> None:
    server = serve([STORED] * 3)
    with Connection(server.target) as connection:
        assert [connection.ask(REQUEST).said for _ in range(3)] == ["0", "0", "0"]
    assert server.accepted == 1


def test_a_push_that_was_sent_and_not_answered_is_not_sent_again(serve: Callable[..., Scripted]) -> None:
    server = serve([b""], [STORED])
    with Connection(server.target) as connection:
        lost = connection.ask(REQUEST)
        assert (lost.said, lost.answered, lost.unreachable) == ("no answer: connection lost", False, False)
        assert connection.ask(REQUEST).acknowledged
    assert len(server.requests) == 2


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_asked(serve: Callable[..., Scripted]) -> None:
    with Connection(serve([None]).target, timeout=0.2) as connection:
        answer = connection.ask(REQUEST)
    assert (answer.said, answer.answered) == ("no answer: timed out", False)
    assert 0.2 <= answer.seconds < 2


def test_a_connection_that_the_server_closed_while_idle_is_replaced_before_anything_is_sent(
    serve: Callable[..., Scripted],
) -> None:
    server = serve([STORED], [STORED])
    with Connection(server.target) as connection:
        assert connection.ask(REQUEST).acknowledged
        time.sleep(0.7)
        assert connection.ask(REQUEST).acknowledged


def test_no_server_is_unreachable_and_nothing_was_sent() -> None:
    with Connection(Target.of(f"http://127.0.0.1:{free_port()}/")) as connection:
        answer = connection.ask(REQUEST)
    assert (answer.said, answer.unreachable) == ("unreachable: connection refused", True)


def test_a_drive_keeps_its_pace_and_pushes_each_number_once(serve: Callable[..., Scripted]) -> None:
    server = serve([STORED] * 20)
    numbers: list[int] = []
    drive = Drive(server.target, lambda _: REQUEST, lambda number, _answer: numbers.append(number), count=9, rate=20)
    start = time.monotonic()
    drive.start()
    assert drive.wait(10)
    assert numbers == list(range(9))
    assert 0.4 <= time.monotonic() - start < 2


def test_a_failure_of_its_own_ends_a_drive_and_is_raised(serve: Callable[..., Scripted]) -> None:
    def broken(_number: int) -> bytes:
        raise ValueError("no request")

    drive = Drive(serve([]).target, broken, lambda _number, _answer: None, connections=3)
    drive.start()
    with pytest.raises(ValueError, match="no request"):
        drive.wait(10)


def test_a_drive_gives_up_at_once_where_there_never_was_a_server() -> None:
    heard: list[str] = []
    drive = Drive(
        Target.of(f"http://127.0.0.1:{free_port()}/"),
        lambda _: REQUEST,
        lambda _number, answer: heard.append(answer.said),
        persistent=True,
    )
    drive.start()
    assert drive.wait(5)
    assert heard == ["unreachable: connection refused"]


def test_a_persistent_drive_pushes_what_found_no_server_when_there_is_one(serve: Callable[..., Scripted]) -> None:
    port = free_port()
    heard: list[tuple[int, bool]] = []
    drive = Drive(
        Target.of(f"http://127.0.0.1:{port}/"),
        lambda _: REQUEST,
        lambda number, answer: heard.append((number, answer.answered)),
        count=3,
        patience=None,
        persistent=True,
    )
    drive.start()
    assert not drive.wait(0.3)
    serve([STORED] * 3, port=port)
    assert drive.wait(10)
    assert heard[0] == (0, False)
    assert [number for number, answered in heard if answered] == [0, 1, 2]

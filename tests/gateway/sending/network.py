"""A gateway behind a network that does what a test says to each call, byte by byte; it knows whom it really texted."""

import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import parse_qs


@dataclass(frozen=True)
class Weather:
    """What happens to one call.

    ``carried``: whether the gateway does what it is asked. ``cut``: how many bytes of the answer come, None: all.
    ``marked``: whether Content-Length tells how long it would be. ``reset``: the connection ends so. ``delay``: seconds
    before the answer. ``twice``: the answer's body comes two times. ``unlisted``: it names nobody, but has the number.
    """

    carried: bool = True
    cut: int | None = None
    marked: bool = True
    reset: bool = False
    delay: float = 0
    twice: bool = False
    unlisted: bool = False


class Network:
    """Listens on ``url``; ``weather`` is what befalls the calls one after the other, fine when it has run out.

    While it ``hangs_up`` it closes each connection before anything is asked on it.
    """

    def __init__(self, weather: list[Weather] | None = None) -> None:
        self.weather = weather or []
        self.texted: list[str] = []
        self.hangs_up = False
        self.before_answer: Callable[[list[str]], None] = lambda _phones: None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._handlers: list[threading.Thread] = []

    def __enter__(self) -> "Network":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        # close() alone does not wake who waits in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for handler in self._handlers:
            handler.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/send/"

    @staticmethod
    def accepts(phone: str) -> bool:
        """Phones that end in 7 are refused."""
        return not phone.endswith("7")

    def answer_to(self, phones: list[str], *, unlisted: bool) -> bytes:
        taken = [phone for phone in phones if self.accepts(phone)]
        failed = [phone for phone in phones if not self.accepts(phone)]
        success, faile = ("", "") if unlisted else (",".join(taken), ",".join(failed))
        return f"num={len(taken)}&success={success}&faile={faile}&err=&errid={6008 if failed else 0}".encode()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            handler = threading.Thread(target=self._handle, args=(connection,))
            self._handlers.append(handler)
            handler.start()

    def _handle(self, connection: socket.socket) -> None:
        with connection:
            try:
                if self.hangs_up:
                    return
                phones = _asked(connection)
                weather = self.weather.pop(0) if self.weather else Weather()
                if weather.carried:
                    self.texted += [phone for phone in phones if self.accepts(phone)]
                self.before_answer(phones)
                time.sleep(weather.delay)
                body = self.answer_to(phones, unlisted=weather.unlisted) * (2 if weather.twice else 1)
                length = f"Content-Length: {len(body)}\r\n" if weather.marked else ""
                answer = f"HTTP/1.1 200 OK\r\n{length}Connection: close\r\n\r\n".encode() + body
                connection.sendall(answer if weather.cut is None else answer[: weather.cut])
                if weather.reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError:
                return  # the caller has left


def _asked(connection: socket.socket) -> list[str]:
    said = b""
    while b"\r\n\r\n" not in said:
        said += _some(connection)
    head, _, body = said.partition(b"\r\n\r\n")
    length = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")).split()[1])
    while len(body) < length:
        body += _some(connection)
    return parse_qs(body.decode("ascii"), encoding="gb18030")["dst"][0].split(",")


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise OSError("the caller has left")
    return data

"""A gateway's inbox of unread replies, with answers as protocol.md §5 writes them: in this process, and over HTTP."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from receiver.gateway.client import Fetched

NOTHING = b"id=0&err=&src=&msg=&dst=&time="
BALANCE = b"id=9586&err=&errid=0&short=%BA%C3"
PAGE = b"<html><body>Service Unavailable</body></html>"


def answer(number: int, text: bytes = b"hello", src: str = "13900000001", dst: str = "10690001") -> bytes:
    """A reply that was sent at 17:13 on 24 May 2005, in China."""
    return b"id=%d&err=&src=%s&msg=%s&dst=%s&time=200505241713" % (number, src.encode(), text, dst.encode())


@dataclass
class Inbox:
    """Hands out each answer once. What stands for an answer that goes wrong is an exception, or something to call."""

    unread: deque[bytes | Exception | Callable[[], bytes]] = field(default_factory=deque)
    timeout: float = 5.0
    calls: int = 0

    def fetch_reply(self) -> Fetched:
        return Fetched(self.next())

    def next(self) -> bytes:
        self.calls += 1
        if not self.unread:
            return NOTHING
        next_ = self.unread.popleft()
        if isinstance(next_, Exception):
            raise next_
        return next_() if callable(next_) else next_


class HttpGateway:
    """An inbox behind real HTTP: readsms.asp, and getfee.asp for clients that try which method is taken."""

    def __init__(self) -> None:
        self.inbox: Inbox = Inbox()
        self.status = 200
        self.asked = threading.Semaphore(0)
        """One more for each call to readsms.asp that came in."""
        self.may_answer = threading.Event()
        self.may_answer.set()
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.do_GET()

            def do_GET(self) -> None:
                if "getfee" in self.path:
                    self._answer(200, BALANCE)
                    return
                gateway.asked.release()
                gateway.may_answer.wait(30)
                self._answer(gateway.status, PAGE if gateway.status != 200 else gateway.inbox.next())

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/send/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def http_gateway() -> Iterator[HttpGateway]:
    gateway = HttpGateway()
    try:
        yield gateway
    finally:
        gateway.close()

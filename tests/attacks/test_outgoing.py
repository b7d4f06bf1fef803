"""Where requests of ours go: to the gateway of the settings and to our own callback, whoever says otherwise."""

import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from receiver.access.roles import Role
from tests.admin.conftest import running
from tests.admin.console.visitor import somebody, visiting
from tests.attacks.conftest import House
from tests.processes import run


@dataclass
class Hearing:
    """A server of the attacker's or of the house: what it was asked for, and where it leads whoever asks."""

    port: int
    leads_to: str | None = None
    asked: list[str] = field(default_factory=list)


def hearing() -> Iterator[Hearing]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.asked.append(self.path)
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(302 if heard.leads_to else 200)
            if heard.leads_to:
                self.send_header("Location", heard.leads_to)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        heard = Hearing(server.server_address[1])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield heard
        server.shutdown()


inside = pytest.fixture(hearing, name="inside")
gateway = pytest.fixture(hearing, name="gateway")


def test_a_gateway_that_redirects_leads_us_nowhere(
    house: House, inside: Hearing, gateway: Hearing, tmp_path: Path
) -> None:
    gateway.leads_to = f"http://127.0.0.1:{inside.port}/secret"
    env = {"URL": f"http://127.0.0.1:{gateway.port}/send/", "NAME": "demo", "PASSWORD": "demo-password"}
    named = {f"RECEIVER_GATEWAY_{name}": value for name, value in env.items()}
    with running(house.admin.server.database_url, tmp_path, named) as admin:
        visitor = visiting(admin.port, admin.store, somebody(admin.store, Role.ADMIN, "led"))
        assert visitor.get("/gateway/balance").status == 200
        visitor.get("/gateway")
        for csrf_of in ("/gateway", "/sends/new"):
            visitor.get(csrf_of)
        visitor.post("/gateway/password", password="a new one", again="a new one", present="demo-password")
        visitor.post("/sends/new/preview", text="hello", phones="13900007701")
        admin.all_powerful.post("/sms/check", {"text": "hello"})
        for arguments in (("balance",), ("check", "hello"), ("poll",)):
            run("receiver", "gateway", *arguments, cwd=tmp_path, env=admin.server.env)
    assert gateway.asked
    assert inside.asked == []


def test_the_test_reply_goes_to_our_own_callback_whatever_the_request_says(house: House, inside: Hearing) -> None:
    visitor = visiting(house.admin.port, house.admin.store, somebody(house.admin.store, Role.OPERATOR, "pushes"))
    visitor.get("/")
    form = f"csrf={visitor._csrf}&url=http://127.0.0.1:{inside.port}/&to=http://127.0.0.1:{inside.port}/"
    there = f"127.0.0.1:{inside.port}"
    headers = {"Host": there, "X-Forwarded-Host": there, "Forwarded": f"host={there}", "X-Forwarded-Proto": "http"}
    visitor._ask("POST", "/test-reply", form, headers)
    assert inside.asked == []


TARGETS = [
    "http://192.0.2.1/recv.asp", "http://0.0.0.0:{port}/", "http://[::]:{port}/", "http://[::ffff:192.0.2.1]/",
    "http://127.0.0.1:{port}@192.0.2.1/", "http://192.0.2.1#@127.0.0.1/", "http://3221225985/", "http://0xc0000201/",
    "file:///etc/passwd", "gopher://127.0.0.1:{port}/", "http://127.0.0.1:{port}\\@192.0.2.1/", "//192.0.2.1/",
    "http://169.254.169.254/latest/meta-data/",
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
def test_the_simulator_pushes_to_this_machine_alone(target: str, inside: Hearing, tmp_path: Path) -> None:
    url = target.format(port=inside.port)
    push = ("simulate", "push", "--url", url, "--src", "13900007702", "--dst", "1069", "--msg", "hello")
    stand_in = ("simulate", "gateway", "--push-to", url, "--port", "0")
    for arguments in (push, stand_in) if target in TARGETS[:2] else (push,):
        refused = run("receiver", *arguments, cwd=tmp_path, env={"PATH": "/usr/bin"})
        assert refused.returncode == 2, refused
        assert b"Traceback" not in refused.stderr
    assert inside.asked == []


SETTINGS = [
    "file:///etc/passwd", "ftp://203.81.21.34/", "http://user:secret-word@203.81.21.34/", "http://203.81.21.34/?a=", "http:///send/",
    "http://203.81.21.34/ HTTP/1.1\r\nX: y", "gopher://x/", "//203.81.21.34/", "http://x:0/", "http://x:99999/",
]  # fmt: skip


@pytest.mark.parametrize("url", SETTINGS)
def test_a_gateway_s_address_is_http_and_nothing_else(url: str, tmp_path: Path) -> None:
    env = {"RECEIVER_GATEWAY_URL": url, "RECEIVER_GATEWAY_NAME": "demo", "RECEIVER_GATEWAY_PASSWORD": "demo-password"}
    refused = run("receiver", "gateway", "balance", cwd=tmp_path, env=env)
    assert (refused.returncode, b"RECEIVER_GATEWAY_URL" in refused.stderr) == (2, True)
    assert b"secret-word" not in refused.stderr

"""The Caddyfile, in a real Caddy: bytes go through as they came, nobody else gets in, no log has phones."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.callback.raw import ask, get
from tests.deploy.nginx import wait_for
from tests.deploy.stored import stored
from tests.serving import Server, free_port

pytestmark = pytest.mark.deploy

_CADDYFILE = Path(__file__).parents[2] / "deploy/caddy/Caddyfile"


@dataclass(frozen=True)
class Caddy:
    port: int
    admin_port: int
    log: Path
    callback: Server


@pytest.fixture(scope="module")
def caddy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caddy]:
    """Its addresses are replaced, and nothing else; without a name it asks nobody for a certificate."""
    folder = tmp_path_factory.mktemp("caddy")
    url = f"sqlite:///{folder / 'receiver.db'}"
    proxy = {"RECEIVER_TRUSTED_PROXIES": "127.0.0.1"}
    with (
        Server(url, folder, {**proxy, "RECEIVER_ALLOWED_SOURCES": "127.0.0.1"}) as callback,
        Server(url, folder, proxy, role="admin", migrate=False) as admin,
    ):
        made = Caddy(free_port(), free_port(), folder / "caddy.log", callback)
        said = _CADDYFILE.read_text()
        for pattern, instead in (
            (r"http://sms\.example\.com", f"http://localhost:{made.port}"),
            (r"\nsms-admin\.example\.com", f"\nhttp://localhost:{made.admin_port}"),
            (r"remote_ip 203\.81\.21\.34", "remote_ip 127.0.0.1"),
            (r"127\.0\.0\.1:8000", f"127.0.0.1:{callback.port}"),
            (r"127\.0\.0\.1:8001", f"127.0.0.1:{admin.port}"),
        ):
            said, count = re.subn(pattern, instead, said)
            assert count, f"{pattern} is not in {_CADDYFILE}"
        (folder / "Caddyfile").write_text(said.replace("{\n", "{\n\tadmin off\n", 1))
        command = ["caddy", "run", "--config", str(folder / "Caddyfile")]
        with (
            made.log.open("wb") as log,
            subprocess.Popen(command, env={"HOME": str(folder)}, stderr=log) as running,
        ):
            try:
                wait_for(made.port)
                yield made
            finally:
                running.terminate()


def test_caddy_takes_it_as_it_is(tmp_path: Path) -> None:
    command = ["caddy", "validate", "--config", str(_CADDYFILE)]
    checked = subprocess.run(command, env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "not formatted" not in checked.stderr


@pytest.mark.parametrize("wire", [b"%CD%CB%B6%A9", "退订".encode("gb18030"), "退订".encode(), b"a+b%26c", b"50%"])
def test_bytes_go_through_as_they_came(caddy: Caddy, wire: bytes) -> None:
    assert ask(caddy.port, get(b"/recv.asp?src=13900000001&dst=1069&msg=" + wire)).body == b"0"
    assert stored(caddy.callback)[-1][0] == wire


def test_a_space_in_the_request_line_is_refused_by_caddy_itself(caddy: Caddy) -> None:
    asked = get(b"/recv.asp?src=13900000002&dst=1069&msg=a b")
    assert ask(caddy.port, asked).status == 400, "docs/operations.md can be kinder to Caddy"


def test_nothing_but_the_callback_is_for_the_outside_world(caddy: Caddy) -> None:
    for path in (b"/", b"/healthz", b"/api/v1/messages", b"/recv.asp/x"):
        assert ask(caddy.port, get(path)).status == 404


def test_the_console_is_behind_it(caddy: Caddy) -> None:
    answer = ask(caddy.admin_port, get(b"/login"))
    assert answer.status == 200
    assert answer.header("Strict-Transport-Security") == ["max-age=31536000"]


def test_no_log_has_a_query(caddy: Caddy) -> None:
    ask(caddy.port, get(b"/recv.asp?src=13900000077&dst=1069&msg=riddle"))
    ask(caddy.port, get(b"/nowhere?src=13900000077"))
    ask(caddy.admin_port, get(b"/login?src=13900000077"))
    caddy.callback.kill9()
    assert ask(caddy.port, get(b"/recv.asp?src=13900000077&dst=1069&msg=riddle")).status == 502
    caddy.callback.start()
    logged = caddy.log.read_bytes()
    assert b"http.log.error" in logged
    assert b'"uri":"/recv.asp"' in logged
    assert b'"uri":"/login"' in logged
    for private in (b"13900000077", b"riddle"):
        assert private not in logged

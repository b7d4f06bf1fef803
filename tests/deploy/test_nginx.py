"""The configuration for nginx, in a real one: bytes go through as they came, nobody else gets in, no log has phones."""

import http.client
import ssl
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from receiver.gateway.simulator.load import Load
from receiver.gateway.simulator.target import Target
from receiver.store.store import Store
from tests.callback.raw import ask, get
from tests.counted import wait_until_counted
from tests.deploy.nginx import Nginx, nginx
from tests.deploy.stored import stored
from tests.postgres import create_database, drop_database
from tests.processes import Process, run
from tests.serving import Server, migrate

pytestmark = pytest.mark.deploy


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Nginx, Server]]:
    folder = tmp_path_factory.mktemp("nginx")
    url = f"sqlite:///{folder / 'receiver.db'}"
    proxy = {"RECEIVER_TRUSTED_PROXIES": "127.0.0.1"}
    with (
        Server(url, folder, {**proxy, "RECEIVER_ALLOWED_SOURCES": "127.0.0.1"}) as callback,
        Server(url, folder, proxy, role="admin", migrate=False) as admin,
        nginx(folder, [callback.port], admin.port) as running,
    ):
        yield running, callback


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (b"%CD%CB%B6%A9", "退订"), ("退订".encode("gb18030"), "退订"), ("退订".encode(), "退订"), (b"a+b%26c", "a b&c"),
        (b"50%", "50%"),
    ],
)  # fmt: skip
def test_bytes_go_through_as_they_came(behind: tuple[Nginx, Server], wire: bytes, text: str) -> None:
    running, callback = behind
    assert ask(running.port, get(b"/recv.asp?src=13900000001&dst=1069&msg=" + wire)).body == b"0"
    assert stored(callback)[-1] == (wire, text, "127.0.0.1")


def test_a_space_in_the_request_line_is_refused_by_nginx_itself(behind: tuple[Nginx, Server]) -> None:
    running, callback = behind
    query = b"src=13900000002&dst=1069&msg=a b"
    assert ask(running.port, get(b"/recv.asp?" + query)).status == 400, "docs/operations.md can be kinder to nginx"
    assert ask(callback.port, get(b"/recv.asp?" + query)).body == b"0"


def test_nothing_but_the_callback_is_for_the_outside_world(behind: tuple[Nginx, Server]) -> None:
    running, _ = behind
    for path in (b"/", b"/healthz", b"/api/v1/messages", b"/recv.asp/x"):
        assert ask(running.port, get(path)).status == 404


def test_no_log_has_a_query(behind: tuple[Nginx, Server]) -> None:
    running, callback = behind
    ask(running.port, get(b"/recv.asp?src=13900000077&dst=1069&msg=riddle"))
    ask(running.port, get(b"/nowhere?src=13900000077"))
    callback.kill9()
    assert ask(running.port, get(b"/recv.asp?src=13900000077&dst=1069&msg=riddle")).status == 502
    callback.start()
    assert b'"GET /recv.asp" 200' in running.logs
    for private in (b"13900000077", b"riddle"):
        assert private not in running.logs
        assert private not in callback.log.encode()


def test_the_console_speaks_tls_alone_and_its_cookies_are_for_tls(behind: tuple[Nginx, Server]) -> None:
    running, _ = behind
    context = ssl.create_default_context(cafile=running.folder / "fullchain.pem")
    context.check_hostname = False
    connection = http.client.HTTPSConnection("127.0.0.1", running.tls_port, context=context, timeout=30)
    connection.request("GET", "/login")
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    cookies = answer.headers.get_all("Set-Cookie") or []
    assert cookies
    assert all("Secure" in cookie for cookie in cookies)
    connection.close()


def test_whoever_is_not_the_gateway_is_turned_away(tmp_path: Path) -> None:
    with (
        Server(f"sqlite:///{tmp_path / 'receiver.db'}", tmp_path) as callback,
        nginx(tmp_path, [callback.port], 1, gateway="192.0.2.1") as running,
    ):
        assert ask(running.port, get(b"/recv.asp?src=13900000001&dst=1069&msg=a")).status == 403
        assert stored(callback) == []


@contextmanager
def worker(settings: Mapping[str, str]) -> Iterator[Process]:
    """A machine's worker, which is killed and started again once, and ended with SIGTERM."""
    options = {"env": settings, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with Process("receiver", "worker", **options) as one:
        one.kill()
    with Process("receiver", "worker", **options) as another:
        try:
            yield another
        finally:
            another.terminate()
            status = another.wait(30)
        assert status == 0


def test_a_release_is_rolled_out_over_two_machines_which_are_killed_too_and_nothing_is_lost(
    server_url: Callable[[], str], tmp_path: Path
) -> None:
    server = server_url()
    url = create_database(server)
    migrate(url)
    allowed = {"RECEIVER_TRUSTED_PROXIES": "127.0.0.1"}
    with (
        Server(url, tmp_path, allowed, migrate=False) as one,
        Server(url, tmp_path, allowed, migrate=False) as two,
        nginx(tmp_path, [one.port, two.port], 1) as running,
    ):
        run("receiver", "db", "downgrade", "--yes", "--", "-1", env=one.env).check_returncode()
        load = Load(Target.of(f"http://127.0.0.1:{running.port}/recv.asp"), connections=16, unsubscribes=0.1)
        load.start()
        try:
            run("receiver", "db", "upgrade", env=one.env).check_returncode()
            for node in (one, two):
                node.restart()
            with worker(one.env), worker(two.env):
                for node in (one, two):
                    node.kill9()
                    node.start()
                load.stop()
                for node in (one, two):
                    node.wait_until_stored()
                wait_until_counted(url)
        finally:
            load.stop()
        store = Store(url, pooled=False)
        account, audit = load.account, load.audit(store, within=10)
        store.close()
        # What nginx answers where neither node took it is no acknowledgement, and the gateway's to send again.
        assert account.acknowledged > 100
        assert (audit.lost, audit.altered, audit.not_in_force) == ([], [], [])
    drop_database(server, url)

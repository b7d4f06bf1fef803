"""``receiver serve`` as people run it: roles that come up, come back, and drain."""

import http.client
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from receiver.store.errors import StoreError
from receiver.store.store import Store
from receiver.store.tables import messages
from tests.admin.console.visitor import PASSWORD, Visitor
from tests.intake.replies import rows
from tests.postgres import Postgres
from tests.processes import Process
from tests.serving import free_port

WITHIN = 30.0


class Served:
    """A whole ``receiver serve`` in a folder of its own."""

    def __init__(self, directory: Path, env: dict[str, str]) -> None:
        self.callback, self.admin = free_port(), free_port()
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RECEIVER_")}
        self.env = {
            **clean,
            "RECEIVER_CALLBACK_BIND": f"127.0.0.1:{self.callback}",
            "RECEIVER_ADMIN_BIND": f"127.0.0.1:{self.admin}",
            **env,
        }
        self.log_path = directory / "serve.log"
        with self.log_path.open("wb") as log:
            self.process = Process(
                "receiver",
                "serve",
                cwd=directory,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def children(self) -> list[int]:
        """The roles' processes."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in listed.split()]

    def get(self, port: int, path: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        except OSError as error:
            return f"no answer: {error}"
        finally:
            connection.close()

    def push(self, text: str) -> str:
        return self.get(self.callback, f"/recv.asp?src=13900000001&dst=10690000&msg={text}")


@contextmanager
def serving(directory: Path, **env: str) -> Iterator[Served]:
    served = Served(directory, env)
    try:
        yield served
    finally:
        for pid in [*served.children(), served.process.pid] if served.process.poll() is None else []:
            with_group(pid)
        served.process.wait(WITHIN)


def with_group(pid: int) -> None:
    os.killpg(os.getpgid(pid), signal.SIGKILL)


def eventually(true: Callable[[], bool], served: Served) -> None:
    deadline = time.monotonic() + WITHIN
    while not true():
        assert time.monotonic() < deadline, served.log
        time.sleep(0.05)


def first_admin(served: Served) -> Visitor:
    """Whoever opened the link that was printed, and set a password."""
    (path,) = re.findall(rf"http://127\.0\.0\.1:{served.admin}(/welcome/\S+)", served.log)
    visitor = Visitor(served.admin)
    visitor.get(path)
    visitor.follow(path, password=PASSWORD, again=PASSWORD)
    return visitor


def test_a_newcomer_sees_where_replies_come_in_and_what_to_try(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        eventually(lambda: "Try it" in served.log, served)

        assert f"http://127.0.0.1:{served.callback}/recv.asp" in served.log
        assert f"http://127.0.0.1:{served.admin}/" in served.log
        assert served.push("hello") == "0"
        assert "last reply came in" in first_admin(served).get("/").words
        assert (tmp_path / "var" / "receiver.db").exists()


def test_the_overview_says_what_to_do_about_a_refused_source(tmp_path: Path) -> None:
    with serving(tmp_path, RECEIVER_ALLOWED_SOURCES="192.0.2.1") as served:
        eventually(lambda: served.push("hello") == "-2", served)
        eventually(lambda: "Try it" in served.log, served)
        visitor = first_admin(served)
        eventually(lambda: "Refused sources" in visitor.get("/").words, served)

        page = visitor.get("/").words
        assert "RECEIVER_ALLOWED_SOURCES=192.0.2.1/32,127.0.0.1" in page
        assert "13900000001" not in page


def test_a_role_that_is_killed_comes_back_and_the_other_goes_on(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        eventually(lambda: served.push("before") == "0", served)
        eventually(lambda: served.get(served.admin, "/healthz").startswith("alive"), served)
        callback, admin, worker = sorted(served.children())

        with_group(callback)
        assert served.get(served.admin, "/healthz").startswith("alive")
        eventually(lambda: served.push("after") == "0", served)
        assert {admin, worker} < set(served.children())


def test_roles_end_with_their_supervisor_even_if_it_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        eventually(lambda: served.push("hello") == "0", served)
        served.process.kill()
        served.process.wait(WITHIN)

        eventually(lambda: served.push("hello").startswith("no answer"), served)
        eventually(lambda: served.get(served.admin, "/healthz").startswith("no answer"), served)


def test_sigterm_ends_with_status_zero_and_both_ports_free(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        eventually(lambda: "Try it" in served.log, served)
        served.process.terminate()

        assert served.process.wait(WITHIN) == 0
        for port in (served.callback, served.admin):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))


def test_replies_are_acknowledged_from_the_first_second_and_stored_when_the_database_is_there(
    postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.create_database()
    postgres.stop()
    try:
        with serving(tmp_path, RECEIVER_DATABASE_URL=url) as served:
            eventually(lambda: served.push("early") == "0", served)
            assert served.get(served.callback, "/healthz").startswith("alive")
            assert served.get(served.callback, "/readyz") == "ready"
            eventually(lambda: "RECEIVER_DATABASE_URL" in served.get(served.admin, "/login"), served)

            postgres.start()
            eventually(lambda: served.push("late") == "0", served)
            store = Store(url, pooled=False)
            eventually(lambda: _texts(store) == ["early", "late"], served)
            store.close()
    finally:
        postgres.start()


def _texts(store: Store) -> list[str]:
    try:
        return [row.text for row in rows(store, messages)]
    except StoreError:
        return []  # it is migrated a little later


def test_a_setting_that_cannot_be_used_is_named_with_the_way_out(tmp_path: Path) -> None:
    with serving(tmp_path, RECEIVER_ALLOWED_SOURCES="gateway.example") as served:
        assert served.process.wait(WITHIN) == 2
        assert "RECEIVER_ALLOWED_SOURCES" in served.log
        assert "203.81.21.34" in served.log
        assert "Traceback" not in served.log


def test_a_port_that_is_taken_is_said_so(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with serving(tmp_path, RECEIVER_CALLBACK_BIND=f"127.0.0.1:{taken.getsockname()[1]}") as served:
            assert served.process.wait(WITHIN) == 3
            assert "in use" in served.log
            assert "RECEIVER_CALLBACK_BIND" in served.log
            assert "Try it" not in served.log

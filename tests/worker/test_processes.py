"""``receiver worker`` as a process of its own, under a gateway over real HTTP: killed, stopped, without a database."""

import itertools
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from receiver.gateway.polling import APART
from receiver.store.store import Store
from receiver.store.tables import messages, optouts, tasks
from tests.gateway.polling.inbox import HttpGateway, answer, http_gateway
from tests.intake.replies import rows
from tests.postgres import Postgres
from tests.processes import Process

WITHIN = 60.0


class Recorded(HttpGateway):
    """Remembers when each call came and when it was answered."""

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[tuple[float, float]] = []
        fetch = self.inbox.next

        def recorded() -> bytes:
            self.spans.append((time.monotonic(), time.monotonic()))
            return fetch()

        self.inbox.next = recorded  # type: ignore[method-assign]


@contextmanager
def worker(folder: Path, url: str, gateway: HttpGateway) -> Iterator[Process]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RECEIVER_")}
    env = {
        **clean,
        "RECEIVER_DATABASE_URL": url,
        "RECEIVER_GATEWAY_URL": gateway.url,
        "RECEIVER_GATEWAY_NAME": "demo",
        "RECEIVER_GATEWAY_PASSWORD": "secret-word",
        "RECEIVER_GATEWAY_TIMEOUT": "1",
        "RECEIVER_POLL": "on",
    }
    folder.mkdir(exist_ok=True)
    with (folder / "worker.log").open("ab") as log:
        process = Process(
            "receiver", "worker",
            cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(WITHIN)


def eventually(true: Callable[[], bool], folder: Path) -> None:
    deadline = time.monotonic() + WITHIN
    while not true():
        assert time.monotonic() < deadline, (folder / "worker.log").read_text()
        time.sleep(0.05)


def stored(store: Store) -> list[str]:
    return [row.gateway_id for row in rows(store, messages)]


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    monkeypatch.setattr("tests.gateway.polling.inbox.HttpGateway", Recorded)
    with http_gateway() as gateway:
        assert isinstance(gateway, Recorded)
        yield gateway


def the_poll(store: Store) -> Any:
    return next((row for row in rows(store, tasks) if row.name == "poll:demo"), None)


@pytest.mark.slow
def test_a_worker_that_is_killed_amid_a_call_is_replaced_and_no_one_asks_too_early(
    database_url: str, store: Store, gateway: Recorded, tmp_path: Path
) -> None:
    gateway.inbox.unread.extend([answer(1), answer(2, b"0000", "13900000002")])
    with worker(tmp_path / "one", database_url, gateway) as first:
        assert gateway.asked.acquire(timeout=WITHIN)
        eventually(lambda: stored(store) == ["1"], tmp_path / "one")
        gateway.may_answer.clear()
        assert gateway.asked.acquire(timeout=WITHIN)
        first.kill()
        first.wait(WITHIN)
    killed = time.monotonic()
    # Nobody reads the answer of this call: as if the gateway had never come to it.
    unread = list(gateway.inbox.unread)
    gateway.may_answer.set()
    eventually(lambda: len(gateway.spans) == 2, tmp_path / "one")
    gateway.inbox.unread.extend(unread)
    with worker(tmp_path / "one", database_url, gateway) as second:
        eventually(lambda: stored(store) == ["1", "2"], tmp_path / "one")
        assert [row.phone for row in rows(store, optouts)] == ["+8613900000002"]
        assert gateway.spans[2][0] - killed > APART
        second.terminate()
        assert second.wait(WITHIN) == 0
    assert_apart(gateway)
    assert the_poll(store).holder is None
    log = (tmp_path / "one" / "worker.log").read_text()
    for private in ("secret-word", "3900000", "hello"):
        assert private not in log


@pytest.mark.slow
def test_two_workers_on_two_machines_ask_as_one(postgresql_url: str, gateway: Recorded, tmp_path: Path) -> None:
    store = Store(postgresql_url, pooled=False)
    gateway.inbox.unread.extend(answer(number) for number in (1, 2, 3))
    with (
        worker(tmp_path / "one", postgresql_url, gateway) as first,
        worker(tmp_path / "two", postgresql_url, gateway) as second,
    ):
        eventually(lambda: stored(store) == ["1", "2"], tmp_path / "one")
        holder = the_poll(store).holder
        ends, stays = (first, second) if f":{first.pid}:" in holder else (second, first)
        assert f":{ends.pid}:" in holder
        ends.terminate()
        assert ends.wait(WITHIN) == 0
        eventually(lambda: stored(store) == ["1", "2", "3"], tmp_path / "two")
        assert stays.poll() is None
    store.close()
    assert_apart(gateway)


@pytest.mark.slow
def test_a_worker_waits_for_its_database_and_asks_for_nothing_meanwhile(
    postgres: Postgres, gateway: Recorded, tmp_path: Path
) -> None:
    url = postgres.create_database()
    store = Store(url, pooled=False)
    store.ensure_current()
    gateway.inbox.unread.append(answer(1))
    postgres.stop()
    try:
        with worker(tmp_path / "one", url, gateway) as process:
            log = tmp_path / "one" / "worker.log"
            eventually(lambda: "the database can't be used" in log.read_text(), tmp_path / "one")
            assert gateway.spans == []
            postgres.start()
            eventually(lambda: stored(store) == ["1"], tmp_path / "one")
            asked = len(gateway.spans)
            postgres.stop()
            gateway.inbox.unread.append(answer(2))
            eventually(lambda: log.read_text().count("the database can't be used") == 2, tmp_path / "one")
            assert len(gateway.spans) <= asked + 1
            asked = len(gateway.spans)
            threading.Event().wait(APART + 1)
            assert len(gateway.spans) == asked, "a reply was read that could not be stored"
            postgres.start()
            eventually(lambda: stored(store) == ["1", "2"], tmp_path / "one")
            process.terminate()
            assert process.wait(WITHIN) == 0
    finally:
        postgres.start()
        store.close()
    assert_apart(gateway)


def test_sigterm_to_an_idle_worker_ends_it_with_status_zero(store: Store, database_url: str, tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RECEIVER_")}
    process = Process(
        "receiver", "serve", "--role", "worker",
        cwd=tmp_path, env={**clean, "RECEIVER_DATABASE_URL": database_url, "RECEIVER_LOG_LEVEL": "info"},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert "working: search-index, counts, ledger, poll-spool" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=WITHIN)
    assert (process.returncode, said) == (0, "")


def assert_apart(gateway: Recorded) -> None:
    for (_, answered), (began, _) in itertools.pairwise(sorted(gateway.spans)):
        assert began - answered > 5.0

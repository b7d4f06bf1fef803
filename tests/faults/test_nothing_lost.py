"""Every ``0`` that a client read is stored exactly once, every 0000 in force: whatever is killed, whenever."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from receiver.gateway.simulator.load import Account, Audit, Load
from receiver.gateway.simulator.target import Target
from receiver.store.store import Store
from tests.postgres import Postgres
from tests.serving import Server

pytestmark = pytest.mark.slow  # the whole file: it is begun with

KILLS = 20
CONNECTIONS = 16


@pytest.mark.timeout(300)  # a server that is started twenty times, on a machine that others may use as well
def test_every_zero_is_stored_once_though_the_server_is_killed_twenty_times(database_url: str, tmp_path: Path) -> None:
    def kill(server: Server) -> None:
        server.kill9()
        server.start()

    account, audit = _under_load(database_url, tmp_path, KILLS, kill)

    assert account.acknowledged > KILLS
    assert account.unanswered > 0, "no kill met a reply on its way: the moments were not random enough"
    assert audit.ok, audit


def test_every_zero_is_stored_once_though_workers_alone_are_killed(database_url: str, tmp_path: Path) -> None:
    account, audit = _under_load(database_url, tmp_path, 5, lambda server: server.kill9_workers())

    assert account.acknowledged > 0
    assert audit.ok, audit


def test_sigterm_answers_all_that_was_accepted(database_url: str, tmp_path: Path) -> None:
    def drain(server: Server) -> None:
        assert server.terminate() == 0
        server.start()

    account, audit = _under_load(database_url, tmp_path, 3, drain)

    assert account.acknowledged > 0
    assert audit.ok, audit
    assert audit.unpromised == 0, "stored, but its sender was left without an answer"


def test_every_zero_is_stored_once_though_postgresql_crashes(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.create_database()

    def crash(_: Server) -> None:
        postgres.restart("immediate")

    account, audit = _under_load(url, tmp_path, 5, crash)

    assert account.acknowledged > 0
    assert set(account.refused) <= {"-4"}
    assert audit.ok, audit


def _under_load(
    database_url: str, directory: Path, times: int, fault: Callable[[Server], None]
) -> tuple[Account, Audit]:
    with Server(database_url, directory) as server:
        load = Load(Target.of(server.url), connections=CONNECTIONS, unsubscribes=0.1)
        load.start()
        try:
            for _ in range(times):
                time.sleep(random.uniform(0.05, 0.4))
                fault(server)
            time.sleep(0.5)
        finally:
            load.stop()
        server.wait_until_stored()
        store = Store(database_url)
        try:
            return load.account, load.audit(store)
        finally:
            store.close()

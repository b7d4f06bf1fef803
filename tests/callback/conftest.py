"""The callback as a server of its own on either database, or in this process, with what it stored to read."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import RowMapping, select
from werkzeug.test import Client, TestResponse

from receiver import create_callback_app
from receiver.callback.app import CallbackApp
from receiver.config import Settings
from receiver.store import store as store_module
from receiver.store.store import Store
from receiver.store.tables import messages, optouts, quarantine, refusals
from tests.callback.raw import Response, ask, get
from tests.postgres import create_database, drop_database
from tests.serving import Server


@dataclass(frozen=True)
class Stored:
    """What is in a receiver's database."""

    store: Store

    def messages(self, **columns: Any) -> list[RowMapping]:
        """Messages, oldest first, whose columns have these values."""
        return self._rows(messages, columns)

    def quarantined(self, **columns: Any) -> list[RowMapping]:
        return self._rows(quarantine, columns)

    def refusals(self) -> list[RowMapping]:
        return self._rows(refusals, {})

    def is_opted_out(self, phone: str) -> bool:
        return bool(self._rows(optouts, {"phone": phone}))

    def _rows(self, table: Any, columns: dict[str, Any]) -> list[RowMapping]:
        statement = select(table).order_by(*table.primary_key.columns)
        for name, value in columns.items():
            statement = statement.where(table.c[name] == value)
        with self.store.reading() as connection:
            return list(connection.execute(statement).mappings())


@dataclass(frozen=True)
class Receiver:
    """A running callback role and what it stored."""

    server: Server
    stored: Stored

    @property
    def port(self) -> int:
        return self.server.port

    def get(self, target: bytes, *headers: bytes) -> Response:
        return ask(self.port, get(target, *headers))


@pytest.fixture(scope="package")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A server on SQLite, one for all tests of this folder: they keep apart by their phones."""
    directory = tmp_path_factory.mktemp("receiver")
    with running(f"sqlite:///{directory / 'receiver.db'}", directory) as started:
        yield started


@pytest.fixture(scope="package")
def receiver_on_postgresql(
    server_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Receiver]:
    """Another on PostgreSQL."""
    server = server_url()
    url = create_database(server)
    with running(url, tmp_path_factory.mktemp("receiver")) as started:
        yield started
    drop_database(server, url)


@pytest.fixture(params=["sqlite", "postgresql"])
def receiver_on_each(request: pytest.FixtureRequest) -> Receiver:
    """The one, then the other."""
    started: Receiver = request.getfixturevalue("receiver" if request.param == "sqlite" else "receiver_on_postgresql")
    return started


@contextmanager
def running(url: str, directory: Path, env: Mapping[str, str] | None = None) -> Iterator[Receiver]:
    """A server for as long as the block lasts."""
    with Server(url, directory, env) as server:
        store = Store(url, pooled=False)
        yield Receiver(server, Stored(store))
        store.close()


@dataclass(frozen=True)
class InProcess:
    """The callback's application in this process and what it stored: fast, and any fault can be put into it."""

    app: CallbackApp
    stored: Stored
    path: Path

    def request(
        self, query: bytes, path: str = "/recv.asp", peer: str = "127.0.0.1", forwarded: str | None = None
    ) -> TestResponse:
        """What is answered to a GET with these bytes as its query, from this address."""
        environ = {"QUERY_STRING": query.decode("latin-1"), "REMOTE_ADDR": peer}
        headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        return Client(self.app).get(path, headers=headers, environ_overrides=environ)

    def get(
        self, query: bytes, path: str = "/recv.asp", peer: str = "127.0.0.1", forwarded: str | None = None
    ) -> bytes:
        """The number that is answered."""
        response = self.request(query, path, peer, forwarded)
        assert (response.status_code, response.content_type) == (200, "text/plain")
        answer: bytes = response.data
        return answer

    def close(self) -> None:
        """Write what waits; only then are refusals in the database."""
        self.app.intake.close()


@pytest.fixture
def in_process(
    tmp_path: Path, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., InProcess]]:
    """Makes an application on a new SQLite database, with the settings given."""
    stores: list[Store] = []

    class Closing(Store):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            stores.append(self)

    monkeypatch.setattr(store_module, "Store", Closing)
    apps: list[InProcess] = []

    def make(**settings: Any) -> InProcess:
        path = tmp_path / f"{len(apps)}.db"
        shutil.copyfile(migrated_sqlite, path)
        url = f"sqlite:///{path}"
        store = Closing(url, pooled=False)
        chosen = Settings(**{"database_url": url, "data_dir": tmp_path / f"{len(apps)}", **settings})
        apps.append(InProcess(create_callback_app(chosen), Stored(store), path))
        return apps[-1]

    yield make
    for app in apps:
        app.close()
    for store in stores:
        store.close()

"""The admin role as a server of its own on either database, keys for it, and a client that calls it."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pytest
from sqlalchemy import RowMapping, select

from receiver.access import Created, Keys, Scope
from receiver.gateway.simulator.gateway import Account, SimulatedGateway
from receiver.store.store import Store
from receiver.store.tables import metadata
from tests.admin.client import Api
from tests.filled import Filled
from tests.postgres import create_database, drop_database
from tests.serving import Server

Engine = Literal["sqlite", "postgresql"]


@dataclasses.dataclass
class Admin:
    """A running admin role: its database to fill and to read, and programs that call it."""

    server: Server
    filled: Filled

    @property
    def store(self) -> Store:
        return self.filled.store

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def log(self) -> str:
        return self.server.log

    @cached_property
    def keys(self) -> Keys:
        return Keys(self.store)

    def key(self, *scopes: Scope, name: str = "test", expires_at: datetime | None = None) -> Created:
        """A new key with these scopes."""
        return self.keys.create(name, scopes, actor="tests", expires_at=expires_at)

    def api(self, *scopes: Scope) -> Api:
        """A program with a new key that has these scopes; with none: without a key."""
        return Api(self.port, self.key(*scopes).token if scopes else None)

    @cached_property
    def all_powerful(self) -> Api:
        """A program whose key may do everything."""
        return self.api(Scope.ADMIN)

    def rows(self, table: str, **columns: Any) -> list[RowMapping]:
        """The rows of a table, in its key's order, whose columns have these values."""
        wanted = metadata.tables[table]
        statement = select(wanted).order_by(*wanted.primary_key.columns)
        for name, value in columns.items():
            statement = statement.where(wanted.c[name] == value)
        with self.store.reading() as transaction:
            return list(transaction.execute(statement).mappings())


@pytest.fixture(scope="module")
def gateway_settings() -> Iterator[Mapping[str, str]]:
    """Those that lead to the gateway's stand-in."""
    with SimulatedGateway([Account("demo", "demo123", balance=1_000_000)]) as stand_in:
        settings = {"URL": stand_in.url, "NAME": "demo", "PASSWORD": "demo123"}
        yield {f"RECEIVER_GATEWAY_{name}": value for name, value in settings.items()}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def admin(
    request: pytest.FixtureRequest,
    server_url: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
    gateway_settings: Mapping[str, str],
) -> Iterator[Admin]:
    """A server for the tests of a module, once on each engine: they keep apart by what they put in."""
    directory = tmp_path_factory.mktemp("admin")
    with database(request.param, server_url, directory) as url, running(url, directory, gateway_settings) as started:
        yield started


@pytest.fixture
def fresh_admin(database_url: str, tmp_path: Path) -> Iterator[Admin]:
    """A server over an empty database for one test alone, once on each engine."""
    with running(database_url, tmp_path) as started:
        yield started


# Counted as ever, and never exceeded by a test that isn't about it.
UNREACHED = {
    f"RECEIVER_RATE_LIMIT_{policy.upper()}": f"{amount}/second"
    for amount, policy in ((1_000_001, "key"), (1_000_002, "address"), (1_000_003, "failures"))
}


@contextmanager
def running(url: str, directory: Path, env: Mapping[str, str] | None = None) -> Iterator[Admin]:
    """An admin role for as long as the block lasts, with further settings by their full names."""
    filled = Filled(url)
    with Server(url, directory, {**UNREACHED, **(env or {})}, role="admin", migrate=False) as server:
        yield Admin(server, filled)
    filled.store.close()


@contextmanager
def database(engine: Engine, server_url: Callable[[], str], directory: Path) -> Iterator[str]:
    """The URL of an empty database of this engine."""
    if engine == "sqlite":
        yield f"sqlite:///{directory / 'receiver.db'}"
        return
    server = server_url()
    url = create_database(server)
    yield url
    drop_database(server, url)

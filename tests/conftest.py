"""The databases that tests run against: SQLite, and a real PostgreSQL.

Each test has one of its own, a copy of one that was migrated once: to copy takes a fiftieth of what migrating does.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import settings

from receiver.store.store import Store
from tests import properties
from tests.postgres import Postgres, create_database, drop_database
from tests.serving import migrate

settings.load_profile(properties.USUAL)  # --hypothesis-profile=soak comes after it


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have an id of its own for each test: of those that share one xdist runs one, and says nothing of the others.

    Schemathesis names its tests by their operations, of which pytest leaves nothing in their ids.
    """
    for item in items:
        if item.parent is not None and not item.nodeid.endswith(item.name):
            item._id = item.parent.id.child(item.name)
    shared = [nodeid for nodeid, count in Counter(item.nodeid for item in items).items() if count > 1]
    if shared:
        raise pytest.UsageError(f"these tests share an id with others, give each one of its own: {shared}")
    # The files that take longest come first, lest one process be left with them when the others are done.
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of our own, for tests that stop it too."""
    server = Postgres(fsync=False)
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def server_url(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Asks for a PostgreSQL to make databases on: the one that TEST_DATABASE_URL names, else our own."""

    def running() -> str:
        if given := os.environ.get("TEST_DATABASE_URL"):
            return given
        server: Postgres = request.getfixturevalue("postgres")
        server.start()  # in case a test left it down
        return server.url

    return running


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database as the migrations leave it, to copy."""
    path: Path = tmp_path_factory.mktemp("migrated") / "receiver.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgresql(server_url: Callable[[], str]) -> Iterator[str]:
    """A PostgreSQL database as the migrations leave it, to copy: nobody may be connected to it meanwhile."""
    url = create_database(server_url())
    migrate(url)
    yield url
    drop_database(server_url(), url)


@pytest.fixture
def sqlite_url(tmp_path: Path, migrated_sqlite: Path) -> str:
    """A SQLite database with the schema and nothing in it."""
    return f"sqlite:///{shutil.copyfile(migrated_sqlite, tmp_path / 'receiver.db')}"


@pytest.fixture
def postgresql_url(server_url: Callable[[], str], migrated_postgresql: str) -> Iterator[str]:
    """A PostgreSQL database with the schema and nothing in it."""
    server = server_url()
    url = create_database(server, migrated_postgresql)
    yield url
    drop_database(server, url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database with the schema and nothing in it, once on each engine."""
    engine: Literal["sqlite", "postgresql"] = request.param
    url: str = request.getfixturevalue(f"{engine}_url")
    return url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """The door to it."""
    opened = Store(database_url)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, server_url: Callable[[], str], tmp_path: Path) -> Iterator[str]:
    """A database without a schema, for what is about migrating, once on each engine."""
    engine: Literal["sqlite", "postgresql"] = request.param
    if engine == "sqlite":
        yield f"sqlite:///{tmp_path / 'receiver.db'}"
        return
    server = server_url()
    url = create_database(server)
    yield url
    drop_database(server, url)

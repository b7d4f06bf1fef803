"""The databases that tests run against: SQLite, and a real PostgreSQL."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.postgres import Postgres, create_database, drop_database


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of our own, for tests that stop it too."""
    server = Postgres()
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


@pytest.fixture
def postgresql_url(server_url: Callable[[], str]) -> Iterator[str]:
    """An empty PostgreSQL database."""
    server = server_url()
    url = create_database(server)
    yield url
    drop_database(server, url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, once on each engine."""
    engine: Literal["sqlite", "postgresql"] = request.param
    if engine == "sqlite":
        return f"sqlite:///{tmp_path / 'receiver.db'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url

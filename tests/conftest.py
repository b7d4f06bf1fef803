"""The databases that tests run against: SQLite, and a real PostgreSQL."""

import os
from collections.abc import Iterator
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


@pytest.fixture
def postgresql_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty PostgreSQL database: on the server that TEST_DATABASE_URL names, else on our own."""
    server_url = os.environ.get("TEST_DATABASE_URL")
    if not server_url:
        server: Postgres = request.getfixturevalue("postgres")
        server.start()  # in case a test left it down
        server_url = server.url
    url = create_database(server_url)
    yield url
    drop_database(server_url, url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, once on each engine."""
    engine: Literal["sqlite", "postgresql"] = request.param
    if engine == "sqlite":
        return f"sqlite:///{tmp_path / 'receiver.db'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url

"""People of each role who use the console of a running admin side.

On SQLite alone, but for ``test_authorization``: what accounts are on either database is in tests/access.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from receiver.access.person import Person
from receiver.access.roles import Role
from tests.admin.conftest import Admin, running
from tests.admin.console.visitor import Visitor, somebody, visiting

LogIn = Callable[[Role], Visitor]


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    """A server for the tests of a module."""
    directory = tmp_path_factory.mktemp("console")
    with running(f"sqlite:///{directory / 'receiver.db'}", directory) as started:
        yield started


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """An empty database."""
    return f"sqlite:///{tmp_path / 'receiver.db'}"


@pytest.fixture(scope="module")
def people(admin: Admin) -> dict[Role, Person]:
    """Somebody of each role, called like it."""
    return {role: somebody(admin.store, role) for role in Role}


@pytest.fixture
def log_in(admin: Admin, people: dict[Role, Person]) -> LogIn:
    """A new browser in which somebody of a role is logged in."""
    return lambda role: visiting(admin.port, admin.store, people[role])

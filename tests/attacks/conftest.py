"""Both web roles over one SQLite database, as an enterprise would run them behind a proxy, to be attacked over HTTP.

The proxy is at 127.0.0.1 and trusted, so that each attack says in X-Forwarded-For whom it comes from. Which threats
there are, and which test attacks what, is in docs/security.md.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from receiver.access.person import Person
from receiver.access.roles import Role
from receiver.gateway.simulator.gateway import SimulatedGateway
from tests.admin.conftest import Admin, running
from tests.admin.console.sending import ACCOUNT
from tests.admin.console.visitor import Visitor, somebody, visiting
from tests.callback.conftest import Stored
from tests.callback.raw import Response, ask, get
from tests.serving import Server

TOKEN = "s3cret-token-of-ours"
GATEWAY, STRANGER = b"X-Forwarded-For: 203.81.21.34", b"X-Forwarded-For: 198.51.100.7"

LogIn = Callable[[Role], Visitor]


@dataclass(frozen=True)
class House:
    """The callback, the admin side, and what they have stored."""

    callback: Server
    admin: Admin
    stored: Stored

    def push(self, query: bytes, *headers: bytes) -> Response:
        """What is answered to a push, which is the gateway's unless ``headers`` say otherwise."""
        return ask(self.callback.port, get(b"/recv.asp?" + query, *(headers or [GATEWAY])))

    def reply(self, query: bytes) -> None:
        """Have a reply of the gateway's stored."""
        assert self.push(query + b"&token=" + TOKEN.encode()).body == b"0"

    @property
    def logs(self) -> str:
        return self.callback.log + self.admin.log


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for all tests of this folder: they keep apart by their phones and names."""
    directory: Path = tmp_path_factory.mktemp("house")
    url = f"sqlite:///{directory / 'receiver.db'}"
    env = {
        "RECEIVER_TRUSTED_PROXIES": "127.0.0.1",
        "RECEIVER_ALLOWED_SOURCES": "203.81.21.0/24",
        "RECEIVER_CALLBACK_TOKEN": TOKEN,
        "RECEIVER_LOG_LEVEL": "debug",
    }
    with SimulatedGateway([ACCOUNT]) as gateway, Server(url, directory, env) as callback:
        settings = {"URL": gateway.url, "NAME": ACCOUNT.name, "PASSWORD": ACCOUNT.password}
        named = {f"RECEIVER_GATEWAY_{name}": value for name, value in settings.items()}
        with running(url, directory, {**env, **named}) as admin:
            yield House(callback, admin, Stored(admin.store))


@pytest.fixture(scope="package")
def people(house: House) -> dict[Role, Person]:
    """Somebody of each role, called like it."""
    return {role: somebody(house.admin.store, role) for role in Role}


@pytest.fixture
def log_in(house: House, people: dict[Role, Person]) -> LogIn:
    """A new browser in which somebody of a role is logged in."""
    return lambda role: visiting(house.admin.port, house.admin.store, people[role])

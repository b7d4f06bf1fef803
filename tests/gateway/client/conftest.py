"""A gateway that answers what a test says, and a client of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from receiver.gateway import Gateway
from tests.gateway.client.wire import Answering, Behaviour, authority

NAME, PASSWORD = "shop", "S3cret&pass"

Answers = Callable[..., Answering]


@pytest.fixture
def answers() -> Iterator[Answers]:
    """Start a server that behaves so, and end it with the test."""
    with ExitStack() as servers:

        def answers(*behaviours: Behaviour, tls: bool = False) -> Answering:
            return servers.enter_context(Answering(*behaviours, tls=tls))

        yield answers


@pytest.fixture(scope="session")
def authority_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Who signs the gateways' certificates, for SSL_CERT_FILE."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority().cert_pem.write_to_path(str(path))
    return path


def client(server: Answering, **options: Any) -> Gateway:
    """A client that uses POST unless told otherwise."""
    return Gateway(server.url, NAME, PASSWORD, **{"method": "post", "timeout": 20.0, **options})

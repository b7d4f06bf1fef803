"""A console beside the gateway's stand-in, and what a worker does, done by the test."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from receiver.gateway import Gateway
from receiver.gateway.sending import Dispatcher
from receiver.gateway.simulator.gateway import Account, SimulatedGateway
from tests.admin.conftest import Admin, running

ACCOUNT = Account("demo", "demo123", balance=1_000_000, short_name="好店")


@contextmanager
def console_with_gateway(directory: Path, **settings: str) -> Iterator[tuple[Admin, SimulatedGateway]]:
    """A console that sends through a stand-in, with further settings."""
    with SimulatedGateway([ACCOUNT]) as gateway:
        env = {"URL": gateway.url, "NAME": ACCOUNT.name, "PASSWORD": ACCOUNT.password, **settings}
        named = {f"RECEIVER_GATEWAY_{name}": value for name, value in env.items()}
        with running(f"sqlite:///{directory / 'receiver.db'}", directory, named) as started:
            yield started, gateway


def dispatch(admin: Admin, gateway: SimulatedGateway, address: str) -> None:
    """What a worker does with what is due of the send at this address; what fails is recorded, and no matter here."""
    client = Gateway(gateway.url, ACCOUNT.name, ACCOUNT.password, method="post")
    Dispatcher(admin.store, client, region="CN").run_send(UUID(address.rpartition("/")[2]))

"""``receiver demo``: everything at once over invented data, to look at; nothing real is touched."""

import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from receiver import config
from receiver.access.people import Invitation
from receiver.config import Settings
from receiver.observability import configure_logging
from receiver.store.migrate import HEAD
from receiver.store.store import Store

from .serve import patience_of, runs_of
from .users import link_of

_HERE = "127.0.0.1"
_USUAL = {"callback": 8000, "admin": 8001, "gateway": 8900}
# Replies per second that come in by themselves.
_LIVE_RATE = 1 / 12


@click.command("demo")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the database there. [default: a folder of its own, which is removed at the end]",
)
@click.option("--database", "database_url", metavar="URL", help="Use this empty database, like postgresql+psycopg://…")
@click.option("--callback-port", type=click.IntRange(1, 65_535), help="[default: 8000, or any that is free]")
@click.option("--admin-port", type=click.IntRange(1, 65_535), help="Of the console. [default: 8001, or any]")
@click.option("--gateway-port", type=click.IntRange(1, 65_535), help="[default: 8900, or any]")
@click.option("--still", is_flag=True, help="No replies come in by themselves.")
def command(
    folder: Path | None, database_url: str | None, callback_port: int | None, admin_port: int | None,
    gateway_port: int | None, still: bool,
) -> None:  # fmt: skip
    """Look around: run callback, console, worker and a simulated gateway over a week of invented data until Ctrl-C.

    The configured database is not used, nor any other setting: the data are in a folder of its own unless you name one,
    and a database that holds messages is refused. The phones are nobody's, and nothing is sent to anybody.
    """
    # Here and not above: the roles are forked, and find it imported.
    from receiver.supervisor import Supervisor

    ports = _ports({"callback": callback_port, "admin": admin_port, "gateway": gateway_port})
    with _folder(folder) as place:
        settings = _settings(place, database_url, ports)
        configure_logging(settings.log_format, settings.log_level, role="demo")
        click.echo("Making up a week of replies …", err=True)
        invitations, balance = _filled(settings)
        roles = runs_of(settings)
        roles["gateway"] = partial(_be_the_gateway, settings, ports["gateway"], balance, still)
        supervisor = Supervisor(roles, patience=patience_of(settings))
        try:
            supervisor.start()
            if supervisor.wait_ready({"callback": settings.callback_bind, "admin": settings.admin_bind}):
                click.echo(_greeting(settings, ports["gateway"], invitations, folder), err=True)
            status = supervisor.run()
        except BaseException:
            supervisor.drain()
            raise
    raise click.exceptions.Exit(status)


def _ports(chosen: dict[str, int | None]) -> dict[str, int]:
    """The ports asked for, and free ones for the others. Raises ClickException where one can't be listened at."""
    with ExitStack() as held:  # until all are chosen: none is chosen twice
        return {name: _port(held, name, port) for name, port in chosen.items()}


def _port(held: ExitStack, name: str, chosen: int | None) -> int:
    probe = held.enter_context(socket.socket())
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((_HERE, chosen or _USUAL[name]))
    except OSError as error:
        if chosen is not None:
            problem = f"can't listen at port {chosen}: {error.strerror}. Choose another --{name}-port"
            raise click.ClickException(problem) from None
        probe.bind((_HERE, 0))
    return int(probe.getsockname()[1])


@contextmanager
def _folder(chosen: Path | None) -> Iterator[Path]:
    if chosen is not None:
        chosen.mkdir(parents=True, exist_ok=True)
        yield chosen
        return
    with tempfile.TemporaryDirectory(prefix="receiver-demo-") as made:
        yield Path(made)


def _settings(folder: Path, database_url: str | None, ports: dict[str, int]) -> Settings:
    from receiver.demo import GATEWAY_ADDRESSES
    from receiver.gateway.simulator.gateway import DEMO

    try:
        return config.apart(
            data_dir=folder,
            database_url=database_url or "",
            callback_bind=f"{_HERE}:{ports['callback']}",
            admin_bind=f"{_HERE}:{ports['admin']}",
            allowed_sources=["127.0.0.0/8", "::1", *GATEWAY_ADDRESSES],
            gateway_url=f"http://{_HERE}:{ports['gateway']}/send/",
            gateway_name=DEMO.name,
            gateway_password=DEMO.password,
            log_level="warning",
        )
    except config.ConfigurationError as wrong:
        raise click.UsageError(str(wrong)) from None


def _filled(settings: Settings) -> tuple[Sequence[Invitation], int]:
    """Put the data into the database: the links that let people in, and what is left at the gateway."""
    from receiver.demo import Occupied, balance_left, fill, links

    store = Store(settings.url, pooled=False)
    try:
        if store.revision() not in (None, HEAD):
            raise click.ClickException(f"{store.description} has another schema: name an empty database")
        store.ensure_current()
        week = fill(store, datetime.now(UTC))
        return links(store), balance_left(week)
    except Occupied:
        raise click.ClickException(
            f"there are messages in {store.description}: name a new --folder or an empty --database"
        ) from None
    finally:
        store.close()


def _be_the_gateway(settings: Settings, port: int, balance: int, still: bool) -> None:
    """Answer the gateway's calls, and have people write: the body of a process."""
    from receiver.demo import LIVE
    from receiver.gateway.simulator.gateway import DEMO, Habits, Route, SimulatedGateway
    from receiver.gateway.simulator.target import Target
    from receiver.gateway.simulator.wire import Encoding

    habits = Habits() if still else Habits(replies=0.6, texts=LIVE, stops=0.04, after=20.0, unasked=_LIVE_RATE)
    route = Route(Target.of(settings.callback_url_here), Encoding.UTF_8)
    with SimulatedGateway([replace(DEMO, balance=balance)], habits=habits, route=route, port=port):
        threading.Event().wait()


def _greeting(settings: Settings, gateway_port: int, invitations: Sequence[Invitation], folder: Path | None) -> str:
    people = [(invitation.person, link_of(invitation, settings)) for invitation in invitations]
    kept = settings.database_url or folder
    return "\n".join(
        [
            "",
            f"  Console             {settings.admin_url_here}/",
            "                      Open one of these, and choose a password; each works once:",
            *(f"    {person.role.value:<18}{link}  ({person.name})" for person, link in people),
            f"  Replies come in at  {settings.callback_url_here}",
            f"  What phones see     http://127.0.0.1:{gateway_port}/",
            "",
            "  Everything is invented. " + (f"It is kept in {kept}." if kept else "Nothing of it is kept."),
            "  Stop with Ctrl-C.",
            "",
        ]
    )

"""``receiver serve``: migrate, then run the roles, restart one that dies, and drain on SIGTERM."""

import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import click

from receiver import config
from receiver.access.people import People
from receiver.cli import UNAVAILABLE
from receiver.observability import configure_logging
from receiver.store.errors import StoreError, Unavailable
from receiver.store.store import Store

from .users import link_of

ROLES = ("callback", "admin", "worker")
_RETRY_SECONDS = 2.0
# Seconds past its own patience.
_KILLED_AFTER = 5.0


@click.command("serve")
@click.option("--role", type=click.Choice(ROLES), help="Run this role alone, in this process, without migrating.")
def command(role: str | None) -> None:
    """Receive replies: run the callback, the admin pages and a worker until Ctrl-C or SIGTERM.

    The database is migrated first. A role that dies is started again; the others go on. On SIGTERM what was accepted
    is committed and answered before the process ends.
    """
    settings = config.load()
    # Here and not above: the roles are forked, and find it imported.
    from receiver.supervisor import Supervisor

    runs = runs_of(settings)
    if role is not None:
        runs[role]()
        return
    configure_logging(settings.log_format, settings.log_level, role="serve")
    for warning in config.unknown():
        click.echo(f"Warning: {warning}", err=True)
    _check_addresses(settings)
    if not settings.database_url:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    # Replies must not wait for a database: the callback answers -4 until it is there, and then it is migrated.
    supervisor = Supervisor(
        runs,
        once={} if _migrate(settings) else {"migration": partial(_migrate_later, settings)},
        patience=patience_of(settings),
    )
    try:
        supervisor.start()
        if supervisor.wait_ready({"callback": settings.callback_bind, "admin": settings.admin_bind}):
            with suppress(OSError):  # nobody to read it is no reason to stop
                click.echo(_greeting(settings, _first_admin(settings)), err=True)
        status = supervisor.run()
    except BaseException:
        supervisor.drain()  # whatever went wrong here, nothing may be left running that no one watches
        raise
    raise click.exceptions.Exit(status)


def runs_of(settings: config.Settings) -> dict[str, Callable[[], None]]:
    """What runs each role until SIGTERM."""
    from receiver.server import serve

    return {
        "callback": partial(serve, "callback", settings),
        "admin": partial(serve, "admin", settings),
        "worker": partial(_work, settings),
    }


def patience_of(settings: config.Settings) -> dict[str, float]:
    """The seconds that a role may take to end which takes longer than others."""
    return {"worker": settings.worker_drain + _KILLED_AFTER}


def _work(settings: config.Settings) -> None:
    # Imported where it runs alone: a process that receives has no use for it.
    from receiver.metrics.worker import work

    if not work(settings):
        sys.exit(1)


def _check_addresses(settings: config.Settings) -> None:
    """Say at once where an address can't be listened at; a role would try for ever."""
    for name in ("callback_bind", "admin_bind", "callback_metrics_bind", "worker_metrics_bind"):
        bind = getattr(settings, name)
        if bind is None:
            continue
        host, _, port = bind.rpartition(":")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host.strip("[]"), int(port)))
            except OSError as error:
                which = config.PREFIX + name.upper()
                raise _Unusable(f"can't listen at {bind}: {error.strerror}. Set {which} to another address") from None


class _Unusable(click.ClickException):
    exit_code = UNAVAILABLE


def _migrate(settings: config.Settings) -> bool:
    """Bring the schema up to date; whether the database could be reached."""
    store = Store(settings.url)
    try:
        if store.ensure_current():
            click.echo(f"Database migrated: {store.description}", err=True)
    except Unavailable as failure:
        click.echo(f"Warning: the database can't be used yet: {failure}", err=True)
        return False
    finally:
        store.close()
    return True


def _migrate_later(settings: config.Settings) -> None:
    while not _migrate(settings):
        time.sleep(_RETRY_SECONDS)


def _first_admin(settings: config.Settings) -> str | None:
    """The link that makes the first admin, while nobody can log in to the console."""
    store = Store(settings.url, pooled=False)
    try:
        invitation = People(store).first_admin()
    except StoreError:  # said already, and the login page tells how to get one later
        return None
    finally:
        store.close()
    return link_of(invitation, settings) if invitation else None


def _greeting(settings: config.Settings, first_admin: str | None) -> str:
    local = settings.callback_url_here
    port, path = settings.callback_bind.rpartition(":")[2], settings.callback_path
    token = "<your token>" if settings.callback_token else None
    public = f"http://<this host>:{port}{path}" + (f"?token={token}" if token else "")
    example = f"{local}?src=13900000000&dst=10690000&msg=hello" + (f"&token={token}" if token else "")
    return "\n".join(
        [
            "",
            f"  Replies come in at  {local}",
            f"                      register {public} with the gateway",
            f"  Console             {settings.admin_url_here}/",
            *([f"                      become its first admin: {first_admin}"] if first_admin else []),
            f"  Database            {Store(settings.url).description}",
            "",
            "  Try it, in another terminal:",
            f"    curl '{example}'",
            "    .venv/bin/receiver messages list",
            "  Stop with Ctrl-C.",
            "",
        ]
    )

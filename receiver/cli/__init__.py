"""The command line: ``receiver …``. Commands are imported when they are called, so that each starts fast."""

import importlib
import os
import sys
from typing import Any

import click

from receiver import build
from receiver.config import ConfigurationError
from receiver.gateway import GatewayError, InDoubt, NotSent, Refusal
from receiver.store.errors import Conflict, Refused, Unavailable

from .output import terminal_safe

DONE, REFUSED, WRONG_USAGE, UNAVAILABLE = 0, 1, 2, 3

_COMMANDS = {
    "serve": "receiver.cli.serve",
    "worker": "receiver.cli.worker",
    "config": "receiver.cli.config",
    "doctor": "receiver.cli.doctor",
    "db": "receiver.cli.db",
    "messages": "receiver.cli.messages",
    "stats": "receiver.cli.stats",
    "quarantine": "receiver.cli.quarantine",
    "optouts": "receiver.cli.optouts",
    "services": "receiver.cli.services",
    "subscriptions": "receiver.cli.subscriptions",
    "gateway": "receiver.cli.gateway",
    "spool": "receiver.cli.spool",
    "keys": "receiver.cli.keys",
    "users": "receiver.cli.users",
    "simulate": "receiver.cli.simulate",
    "demo": "receiver.cli.demo",
    "completion": "receiver.cli.completion",
    "manual": "receiver.cli.manual",
}


class _LazyGroup(click.Group):
    """A group whose commands live in modules named after them, as the attribute ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = importlib.import_module(module).command
        return command


def _tell_version(ctx: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    if asked:
        click.echo(f"receiver {build.name()}")
        ctx.exit()


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_tell_version, help="Show version, commit."
)
def command() -> None:
    """Receive SMS replies from the gateway, lose none, and honour every unsubscribe.

    \b
    Settings are environment variables RECEIVER_… or lines in .env: see "receiver config".
    Exit status: 0 done, 1 refused or not found, 2 wrong usage, 3 a part that is needed is down.
    """


def main() -> None:
    """The entry point: errors become one line on stderr that says what to do, and an exit status."""
    sys.exit(_written(_run()))


def _written(status: Any) -> Any:
    """The exit status once all that was printed has left this process, or has nowhere to go."""
    try:
        sys.stdout.flush()
    except OSError as failure:
        # Else the interpreter tries again as it ends, and says in its own words that it could not.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if status == DONE and not isinstance(failure, BrokenPipeError):  # else whoever read it has seen enough
            click.echo(f"Error: can't write to standard output: {failure.strerror}", err=True)
            return REFUSED
    return status


def _run() -> Any:
    os.umask(0o077)  # what we write holds phones and texts
    try:
        return command.main(standalone_mode=False) or DONE
    except click.exceptions.Abort:
        click.echo("aborted", err=True)
        return REFUSED
    except click.exceptions.Exit as asked:
        return asked.exit_code
    except click.exceptions.NoArgsIsHelpError as asked:
        click.echo(asked.format_message(), err=True)
        return WRONG_USAGE
    except click.UsageError as wrong:
        where = f' (see "{wrong.ctx.command_path} --help")' if wrong.ctx else ""
        click.echo(f"Error: {wrong.format_message()}{where}", err=True)
        return WRONG_USAGE
    except click.ClickException as wrong:
        wrong.show()
        return wrong.exit_code
    except ConfigurationError as wrong:
        click.echo(f"Error: {wrong}", err=True)
        return WRONG_USAGE
    except Unavailable as failure:
        click.echo(
            f"Error: the database can't be used: {failure}. Check RECEIVER_DATABASE_URL and that it runs.", err=True
        )
        return UNAVAILABLE
    except Conflict as failure:
        click.echo(f"Error: other writers were in the way: {failure}. Nothing was changed: try again.", err=True)
        return UNAVAILABLE
    except Refused as failure:
        click.echo(
            f"Error: the database refused it: {failure}. Is its schema current? Try: receiver db upgrade", err=True
        )
        return UNAVAILABLE
    except GatewayError as failure:
        return _gateway_failed(failure)
    except (UnicodeError, OSError) as failure:
        click.echo(f"Error: {failure}", err=True)
        return REFUSED


def _gateway_failed(failure: GatewayError) -> int:
    match failure:
        case NotSent():
            status = UNAVAILABLE
            advice = ". Nothing was sent. Check RECEIVER_GATEWAY_URL and the network, and try again."
        case InDoubt():
            status = UNAVAILABLE
            advice = ". Whether the gateway did what it was asked to is not known. Is RECEIVER_GATEWAY_URL right?"
        case Refusal():
            status = REFUSED
            advice = f". It says: {terminal_safe(failure.message)}" if failure.message else ""
        case _:
            status, advice = WRONG_USAGE, ""
    click.echo(f"Error: {failure}{advice}", err=True)
    return status


__all__ = ["REFUSED", "UNAVAILABLE", "WRONG_USAGE", "command", "main"]

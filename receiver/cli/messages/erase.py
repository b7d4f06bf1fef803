"""``receiver messages erase``: what one subscriber wrote is taken out of the database, on request."""

import sys

import click

from receiver.access import Act, Action
from receiver.access.audit import Via
from receiver.cli.acts import actor_option, reason_option
from receiver.cli.database import opened, settings
from receiver.cli.options import reveal_option
from receiver.cli.output import Column, Format, details, format_option, hint, masked
from receiver.config import Settings
from receiver.optout.erasure import Erased, erase
from receiver.optout.register import RegisterError
from receiver.vocabulary import as_it_came, phone_identity

_COLUMNS = tuple(map(Column, ("phone", "messages", "quarantined", "recipients", "open", "log_emptied")))


@click.command("erase")
@click.argument("phone")
@reason_option
@actor_option
@click.option("--yes", is_flag=True, help="Don't ask.")
@reveal_option
@format_option
def erase_(phone: str, reason: str, actor: str, yes: bool, reveal: bool, chosen_format: Format) -> None:
    """Erase what the subscriber PHONE, written in any way, wrote. It can't be undone.

    Gone are all replies with their bytes and readings, deliveries in quarantine, the phone among the recipients of
    sends, and the texts that went to it alone. An opt-out stays in force, and what proves it stays: the ledger's events
    with the SHA-256 of the bytes that said stop, and this erasure as one more. Subscriptions and the audit stay too.

    Sends that are queued or in doubt stay until they are over ("open"): cancel or settle them, and erase again. Backups
    and exports are yours to deal with.

    On a terminal the phone is to be typed once more; elsewhere say --yes. Exit status 1 where nothing is stored.

    \b
    Examples:
      receiver messages erase 13912345678 --reason "asked by letter of 3 June" --actor "Li Na"
    """
    chosen = settings()
    if not yes:
        _confirm(phone, chosen)
    with opened(chosen) as store:
        try:
            done = erase(
                store,
                phone,
                region=chosen.default_region,
                reason=reason,
                actor=actor,
                note=Act(Action.SUBSCRIBER_ERASED, actor, Via.CLI, _known_as(phone, chosen)),
            )
        except RegisterError as nothing:
            raise click.ClickException(str(nothing)) from nothing
    row = {column.name: getattr(done, column.name) for column in _COLUMNS}
    details(row if reveal else masked(row, "phone"), _COLUMNS, chosen_format)
    _tell(done)


def _confirm(phone: str, chosen: Settings) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("it can't be undone: say --yes where nobody can be asked")
    typed = click.prompt("All that it wrote will be gone. Type the phone once more", err=True)
    if _known_as(typed, chosen) != _known_as(phone, chosen):
        raise click.ClickException("that is another phone: nothing was erased")


def _known_as(phone: str, chosen: Settings) -> str:
    return phone_identity(phone, chosen.default_region) or as_it_came(phone)


def _tell(done: Erased) -> None:
    if done.open:
        click.echo(f"{done.open} sends to it are open: cancel or settle them, and erase again.", err=True)
    if not done.log_emptied:
        click.echo("SQLite's log may hold copies yet: a worker empties it, as soon as nobody reads.", err=True)
    hint("Backups and exports that were made before still hold it.")

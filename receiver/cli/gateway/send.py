"""``receiver gateway send``: one text to many phones, to nobody who said stop, and to nobody twice."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import UUID

import click

from receiver.access import Act, Action
from receiver.access.audit import Via
from receiver.cli.acts import sender_option, watched
from receiver.cli.database import opened, settings
from receiver.cli.options import ID, Moment, reveal_option
from receiver.cli.output import Format, format_option, hint, terminal_safe
from receiver.config import Settings
from receiver.gateway import Gateway, GatewayError
from receiver.gateway.sending import (
    Dispatcher,
    Inadmissible,
    InvalidPhones,
    Plan,
    Sending,
    SendRequest,
    Unknown,
    cancel,
    named,
)
from receiver.gateway.settings import gateway_of
from receiver.intake.spool import spool_of
from receiver.store.errors import StoreError
from receiver.store.store import Store

from . import outcome
from .plan import show_plan
from .recipients import given, text_of

_NOT_RECALLED = (
    "Note: the gateway keeps this send until its time. Who says stop before then can't be taken out of it there; "
    "with --hold it is kept here, and the register is asked five minutes before."
)


class Down(click.ClickException):
    """A part that sending needs is down."""

    exit_code = 3


class _SendId(click.ParamType[UUID]):
    """An id of a send, by which sends are listed in the order of time."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> UUID:
        send_id = ID.convert(value, param, ctx)
        if send_id.version != 7:
            self.fail(f"{value} is no UUID of version 7, as ids of sends are", param, ctx)
        return send_id


@click.command("send", short_help="Send a text to phones, guarded.")
@click.option("--text", help="What to send.")
@click.option("--text-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file that has it.")
@click.option("--to", multiple=True, metavar="PHONE", help="A phone, written in any way; may be given again.")
@click.option(
    "--to-file",
    metavar="FILE|-",
    help="Phones, one a line, or CSV with a column phone (without a heading the first); - is standard input.",
)
@click.option("--at", type=Moment(), help="When the gateway shall send it (China time unless it says).")
@click.option("--hold", is_flag=True, help="Keep it here until 5 minutes before --at; needs a worker then.")
@click.option("--sender", metavar="DIGITS", help="Extension digits behind the service number, at most 8.")
@click.option("--base", metavar="NUMBER", help="The service number: the whole is checked to have at most 16 digits.")
@click.option("--long", is_flag=True, help="A long SMS, up to 240 characters, to mobiles only.")
@click.option("--check", is_flag=True, help="Ask the gateway first whether the text is allowed.")
@click.option(
    "--dry-run", is_flag=True, help="Show batches, characters, cost and who is blocked; send and keep nothing."
)
@click.option("--queue", is_flag=True, help="Leave the sending to the worker.")
@click.option("--skip-invalid", is_flag=True, help="Send to the others though some phones can't be sent to.")
@click.option(
    "--id",
    "send_id",
    type=_SendId(),
    metavar="ID",
    help="The id that this send was told to have: the same command again is the same send then, not another one.",
)
@sender_option
@reveal_option
@format_option
def send(
    text: str | None,
    text_file: Path | None,
    to: tuple[str, ...],
    to_file: str | None,
    at: datetime | None,
    hold: bool,
    sender: str | None,
    base: str | None,
    long: bool,
    check: bool,
    dry_run: bool,
    queue: bool,
    skip_invalid: bool,
    send_id: UUID | None,
    actor: str,
    reveal: bool,
    chosen_format: Format,
) -> None:
    """Send a text, guarded: who is opted out is left out, with an event in the ledger.

    Each person gets it once, however often and in whatever form the number is given. A text has at most 60 characters,
    40 where a number with an area code (PHS) is among them, 240 with --long; an emoji counts as two. Nothing is cut.

    An answer that is lost leaves its batch in doubt: it is never sent again by itself. See "receiver gateway sends".
    Ctrl-C waits for the call that is under way, and cancels the rest. After a crash the rest stays queued.

    \b
    Exit status: 0 all accepted (or queued, with --queue or --hold), 1 somebody was refused, blocked, or is in doubt,
    2 wrong usage, 3 the gateway or the database is down.

    \b
    Examples:
      receiver gateway send --text "明天停水" --to 13900000001 --to "+86 139-0000-0002"
      receiver gateway send --text-file notice.txt --to-file customers.csv --dry-run
      cut -f2 list.tsv | receiver gateway send --text "Hello" --to-file - --at 2026-06-03T17:00 --hold
    """
    chosen = settings()
    recipients, text = given(to, to_file), text_of(text, text_file)
    request = SendRequest(recipients.phones, text, at, hold, sender, base, long=long, skip_invalid=skip_invalid)
    later = queue or hold
    gateway = None if dry_run or (later and not check) else gateway_of(chosen)
    with opened(chosen) as store, _explained(recipients.places):
        sending = Sending(store, chosen.default_region, charset=chosen.gateway_charset)
        if dry_run:
            show_plan(sending.plan(request), recipients.places, chosen_format, reveal=reveal)
            return
        if check and gateway is not None:
            sending.plan(request, send_id=send_id)  # what breaks a rule is not worth asking about
            _check(gateway, request.text)
        try:
            enqueued = sending.enqueue(
                request,
                actor,
                send_id=send_id,
                told=lambda id_: hint(f"This send is {id_}"),
                noted=lambda made: Act(
                    Action.SEND_QUEUED, actor, Via.CLI, str(made.send_id), {"recipients": len(made.plan.allowed)}
                ),
            )
        except Unknown as unknown:
            again = f"Or run the same again with --id {unknown.send_id}: that sends it once, whatever became of it"
            raise Down(f"{unknown}. {again}") from unknown
        except StoreError as failure:
            raise Down(f"the database can't be used: {failure}. Nothing was stored, and nobody was texted") from failure
        _tell_of(enqueued.plan, recipients.places, at_gateway=at is not None and not hold)
        if gateway is None or later:
            counted = outcome.report(store, enqueued.send_id, chosen_format, reveal=reveal)
            hint(
                f"A worker sends it. Here and now: receiver gateway sends resume {enqueued.send_id}"
                if not hold
                else f"A worker sends it at its time. Call it off: receiver gateway sends cancel {enqueued.send_id}"
            )
            outcome.ended(counted, waiting_is_done=True)
        else:
            dispatch(store, chosen, gateway, enqueued.send_id, actor, chosen_format, reveal=reveal)


def dispatch(
    store: Store,
    chosen: Settings,
    gateway: Gateway,
    send_id: UUID,
    actor: str,
    chosen_format: Format,
    *,
    reveal: bool,
) -> None:
    """Send what is queued of a send, here and now, and print what became of it. Raises Exit(1), Down."""
    is_clear = spool_of(chosen).is_clear
    dispatcher = Dispatcher(store, gateway, region=chosen.default_region, is_clear=is_clear)
    goes_on = (
        f'Go on with "receiver gateway sends resume {send_id}" (a worker does so too): to send it anew would text '
        "people twice"
    )
    try:
        with watched("sending") as progress, _interruptible() as interrupted:
            failure: GatewayError | None = dispatcher.run_send(send_id, progress, stopped=interrupted)
        if interrupted():
            cancel(
                store,
                send_id,
                actor=actor,
                reason="interrupted",
                noted=lambda people: Act(Action.SEND_CANCELLED, actor, Via.CLI, str(send_id), {"people": people}),
            )
        counted = outcome.report(store, send_id, chosen_format, reveal=reveal)
    except StoreError as error:
        raise Down(
            f"the database can't be used, so nobody more is texted: {error}. What is queued stays queued. {goes_on}"
        ) from error
    if failure is not None:
        raise Down(f"{failure}. What was not sent stays queued. {goes_on}")
    outcome.ended(counted)


def _check(gateway: Gateway, text: str) -> None:
    verdict = gateway.check_content(text)
    if not verdict.allowed:
        raise click.ClickException(
            f"the gateway forbids this text ({verdict.code}: {terminal_safe(verdict.reason)}): nothing was sent, write "
            "it otherwise"
        )


def _tell_of(plan: Plan, places: Mapping[str, str], *, at_gateway: bool) -> None:
    if invalid := plan.recipients.invalid:
        click.echo(f"Left out: {len(invalid):,} that can't be sent to: {named(invalid, places)}.", err=True)
    if at_gateway:
        click.echo(_NOT_RECALLED, err=True)


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Ctrl-C ends the sending after the call that is under way; a second one ends it amid the call."""
    asked = False

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        click.echo("Stopping after the call that is under way; the rest is cancelled.", err=True)

    before: Any = signal.signal(signal.SIGINT, interrupt)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _explained(places: Mapping[str, str]) -> Iterator[None]:
    try:
        yield
    except InvalidPhones as wrong:
        raise click.UsageError(wrong.told(places)) from wrong
    except Inadmissible as wrong:
        raise click.UsageError(str(wrong)) from wrong

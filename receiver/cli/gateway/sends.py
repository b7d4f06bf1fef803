"""``receiver gateway sends``: what was sent, to whom, and what is in doubt until somebody settles it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import click

from receiver.access import Act, Action
from receiver.access.audit import Via
from receiver.cli.acts import Words, sender_option
from receiver.cli.database import opened, settings
from receiver.cli.options import ID, after_option, limit_option, period_options, reveal_option
from receiver.cli.output import Column, Format, details, format_option, hint, render
from receiver.gateway.sending import Found, Inadmissible, NoSuchSend, cancel, expire, settle
from receiver.gateway.settings import gateway_of
from receiver.optout.register import LONGEST_REASON
from receiver.store import sends
from receiver.store.sends import State
from receiver.vocabulary import phone_identity

from .outcome import PEOPLE, person
from .send import dispatch

_REASON = Words(LONGEST_REASON)
_STATES = [str(state) for state in State]
_SEND = (
    Column("created_at", "asked for (UTC+8)", fixed=True),
    Column("actor", "by"),
    Column("text", "text", widest=True),
    Column("became", "people", style=lambda told: "bold yellow" if State.IN_DOUBT in told else "", beneath=""),
    Column("at", "at (UTC+8)", fixed=True, beneath="at "),
    Column("id", "id", style=lambda _: "dim", fixed=True, beneath=""),
)
_FIELDS = tuple(
    map(Column, ("id", "created_at", "actor", "text", "sender", "at", "is_held", "is_long", "recipients", *_STATES))
)
_PEOPLE = (*PEOPLE, Column("settled_at", "settled (UTC+8)", fixed=True), Column("settled_by", "by"))
_RECIPIENT = tuple(
    map(
        Column,
        ("send", "phone", "written", "batch", "status", "code", "meaning", "meaning_zh", "detail",
         "settled_at", "settled_by", "settled_reason"),
    )
)  # fmt: skip


@click.group("sends", short_help="See, settle, resume and cancel sends.")
def command() -> None:
    """What was sent, to whom, and what is in doubt until somebody settles it.

    A recipient is queued, sending (with the gateway now), accepted, refused (with the gateway's code), blocked (opted
    out), in_doubt (the answer was lost: never sent again by itself), or cancelled.

    \b
    Examples:
      receiver gateway sends list --in-doubt
      receiver gateway sends show 01973a5e-7d1c-7b3a-9c11-2f0c8f9a4d21 --state in_doubt
      receiver gateway sends settle 01973a5e-7d1c-7b3a-9c11-2f0c8f9a4d21 --as sent --reason "the gateway's log has them"
      receiver gateway sends resume 01973a5e-7d1c-7b3a-9c11-2f0c8f9a4d21
    """


_send_argument = click.argument("send_id", type=ID, metavar="ID")


@command.command("list", short_help="List sends, newest first.")
@click.option("--in-doubt", is_flag=True, help="Only those with somebody in doubt.")
@period_options
@limit_option
@after_option
@format_option
def list_(
    in_doubt: bool,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    after: UUID | None,
    chosen_format: Format,
) -> None:
    """List sends, newest first, with how many people are in which state."""
    with opened(settings()) as store:
        expire(store)
        with store.reading() as connection:
            found = sends.page(connection, sends.Filter(since, until, in_doubt), after=after, limit=limit + 1)
            shown = found[:limit]
            counts = sends.counts(connection, [row["id"] for row in shown])
    rows = [_counted(row, counts[row["id"]]) for row in shown]
    for row in rows:
        row["became"] = ", ".join(f"{row[state]:,} {state}" for state in _STATES if row[state])
    render(rows, _SEND if chosen_format == "table" else _FIELDS, chosen_format)
    if len(found) > limit:
        hint(f"There are more. Continue with: --after {shown[-1]['id']}")


@command.command("show", short_help="Show a send and its recipients.")
@_send_argument
@click.option("--state", type=click.Choice(_STATES), help="Only recipients in this state.")
@limit_option
@click.option("--after", metavar="PHONE", help="Continue behind this phone, the last one of the page before.")
@reveal_option
@format_option
def show(send_id: UUID, state: str | None, limit: int, after: str | None, reveal: bool, chosen_format: Format) -> None:
    """Show a send and its recipients by phone; for programs the recipients alone, one on each line.

    \b
    Examples:
      receiver gateway sends show 01973a5e-7d1c-7b3a-9c11-2f0c8f9a4d21 --state refused --reveal --format csv
    """
    chosen = settings()
    behind = None if after is None else phone_identity(after, chosen.default_region) or after
    with opened(chosen) as store:
        expire(store)
        with store.reading() as connection:
            found = sends.get(connection, send_id)
            counts = sends.counts(connection, [send_id])[send_id]
            wanted = None if state is None else State(state)
            people = sends.recipients(connection, send_id, state=wanted, after=behind, limit=limit + 1)
    if found is None:
        raise click.ClickException(f'no send has the id {send_id}: see "receiver gateway sends list"')
    rows = [person(row, reveal=reveal) for row in people[:limit]]
    if chosen_format == "table":
        details(_counted(found, counts), _FIELDS, chosen_format)
    render(rows, _PEOPLE if chosen_format == "table" else _RECIPIENT, chosen_format)
    if len(people) > limit:
        last = people[limit - 1]["phone"]
        hint(f"There are more. Continue with: --after {last if reveal else 'the last phone (see it with --reveal)'}")


@command.command("settle", short_help="Note what became of those in doubt.")
@_send_argument
@click.option(
    "--as", "found", type=click.Choice([str(each) for each in Found]), required=True, help="What was found out."
)
@click.option("--phone", "phones", multiple=True, help="Only this one, written in any way; may be given again.")
@sender_option
@click.option("--reason", type=_REASON, required=True, help="Why: it is kept with the recipients.")
def settle_(send_id: UUID, found: str, phones: tuple[str, ...], actor: str, reason: str) -> None:
    """Note what became of recipients in doubt: they count as accepted, or as refused. Nothing is sent by it.

    Ask the gateway's operator, or look at the balance, before you say that they were not sent. Exit status 1 where
    nobody is in doubt.

    \b
    Examples:
      receiver gateway sends settle ID --as sent --reason "all of batch 7 are in the gateway's log"
      receiver gateway sends settle ID --as not-sent --phone 13900000001 --reason "she says nothing came"
    """
    chosen = settings()
    with opened(chosen) as store, _explained():
        expire(store)
        count = settle(
            store,
            send_id,
            Found(found),
            phones=phones or None,
            region=chosen.default_region,
            actor=actor,
            reason=reason,
            noted=lambda people: Act(
                Action.SEND_SETTLED, actor, Via.CLI, str(send_id), {"found": found, "people": people}
            ),
        )
    if count == 0:
        raise click.ClickException(
            'none of them is in doubt: see "receiver gateway sends show ID --state in_doubt". What is being sent now '
            "is not in doubt yet"
        )
    others = f"; of {len(phones):,} phones given the others were not in doubt" if count < len(phones) else ""
    click.echo(f"{count:,} settled as {found}{others}", err=True)


@command.command("resume", short_help="Send what is queued, here and now.")
@_send_argument
@sender_option
@reveal_option
@format_option
def resume(send_id: UUID, actor: str, reveal: bool, chosen_format: Format) -> None:
    """Send here and now what is queued of a send; as "receiver gateway send", also in its exit status.

    What is in doubt is not sent again, and a held send waits for its time.
    """
    chosen = settings()
    gateway = gateway_of(chosen)
    with opened(chosen) as store:
        with store.reading() as connection:
            if sends.get(connection, send_id) is None:
                raise click.ClickException(f'no send has the id {send_id}: see "receiver gateway sends list"')
        dispatch(store, chosen, gateway, send_id, actor, chosen_format, reveal=reveal)


@command.command("cancel", short_help="Take off the queue what is not sent.")
@_send_argument
@sender_option
@click.option("--reason", type=_REASON, default="cancelled", show_default=True, help="Why: it is kept.")
def cancel_(send_id: UUID, actor: str, reason: str) -> None:
    """Take off the queue what is not yet with the gateway, and what comes back from there unsent.

    What is being sent now is sent. What the gateway keeps for later (--at without --hold) can't be taken back. Exit
    status 1 where nothing is queued.
    """
    with opened(settings()) as store, _explained():
        count = cancel(
            store,
            send_id,
            actor=actor,
            reason=reason,
            noted=lambda people: Act(Action.SEND_CANCELLED, actor, Via.CLI, str(send_id), {"people": people}),
        )
    if count == 0:
        raise click.ClickException(
            "nothing of this send is queued. What is with the gateway now is sent, unless it can't be reached: then it "
            "is cancelled"
        )
    click.echo(f"{count:,} cancelled", err=True)


def _counted(row: Any, counts: dict[str, int]) -> dict[str, Any]:
    states = {state: counts.get(state, 0) for state in _STATES}
    return {**row, "recipients": sum(states.values()), **states}


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except NoSuchSend as wrong:
        raise click.ClickException(str(wrong)) from wrong
    except Inadmissible as wrong:
        raise click.UsageError(str(wrong)) from wrong

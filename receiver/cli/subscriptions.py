"""``receiver subscriptions``: which phone has which service."""

from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from uuid import UUID

import click

from receiver.config import Settings
from receiver.optout.subscribing import SubscriptionImport, resume
from receiver.store import subscriptions
from receiver.store.errors import StoreError
from receiver.store.subscriptions import Subscribed
from receiver.vocabulary import as_it_came, phone_identity

from . import listed
from .acts import actor_option, reason_option, watched
from .database import opened, settings
from .options import Moment, after_option, limit_option, reveal_option
from .output import Column, Format, format_option, hint, masked, render

_COLUMNS = (
    Column("phone", "phone", fixed=True),
    Column("service", "service", widest=True),
    Column("since", "since (UTC+8)", fixed=True),
    Column("cancelled_at", "cancelled (UTC+8)", fixed=True),
    Column("cancelled_by", "by message", style=lambda _: "dim", fixed=True, beneath="cancelled by "),
    Column("id", "id", style=lambda _: "dim", fixed=True, beneath=""),
)
_CHANGED = (
    Column("phone", "phone", fixed=True),
    Column("service", "service", widest=True),
    Column("status", "status", fixed=True),
)
_IMPORTED = (
    Column("rows", "rows"),
    Column("new", "new"),
    Column("already", "were already"),
    Column("opted_out", "of opted-out phones"),
    Column("rejected", "bad rows"),
    Column("rejected_file", "kept in"),
)


@click.group("subscriptions")
def command() -> None:
    """Which phone has which service since when. A reply that says 0000 ends all of one phone's.

    \b
    Examples:
      receiver subscriptions list --service news
      receiver subscriptions add 13912345678 news
      receiver subscriptions import subscribers.csv
    """


@command.command("list")
@click.option("--service", metavar="CODE", help="Of this service.")
@click.option("--phone", help="Of this phone, written in any way.")
@click.option("--all", "all_", is_flag=True, help="Those that were cancelled too.")
@limit_option
@after_option
@reveal_option
@format_option
def list_(
    service: str | None,
    phone: str | None,
    all_: bool,
    limit: int,
    after: UUID | None,
    reveal: bool,
    chosen_format: Format,
) -> None:
    """List subscriptions, the newest first, with phones masked unless --reveal."""
    chosen = settings()
    identity = phone and (phone_identity(phone, chosen.default_region) or as_it_came(phone))
    with opened(chosen) as store, store.reading() as connection:
        found = subscriptions.page(
            connection,
            service=service and as_it_came(service),
            phone=identity,
            active=not all_,
            after=after,
            limit=limit + 1,
        )
    shown = found[:limit]
    render(shown if reveal else [masked(row, "phone") for row in shown], _COLUMNS, chosen_format)
    if len(found) > limit:
        hint(f"There are more. Continue with: --after {shown[-1]['id']}")


@command.command("add")
@click.argument("phone")
@click.argument("service")
@click.option("--since", type=Moment(), help="Since this date or time (China time unless it says). [default: now]")
@reveal_option
@format_option
def add(phone: str, service: str, since: datetime | None, reveal: bool, chosen_format: Format) -> None:
    """Give PHONE the service SERVICE. Exit status 1 where PHONE is opted out, or there is no such service."""
    now = datetime.now(UTC)
    if since is not None and since > now:
        raise click.UsageError("--since lies in the future: a subscription begins now or has begun")
    chosen = settings()
    identity, service = _identity(phone, chosen), as_it_came(service)
    with opened(chosen) as store, store.writing() as connection:
        became = subscriptions.subscribe(connection, identity, service, since or now)
    if became is Subscribed.OPTED_OUT:
        raise click.ClickException("this phone is opted out: it can get no service unless the opt-out is lifted")
    if became is Subscribed.NO_SERVICE:
        raise click.ClickException(f'there is no service {service}: see "receiver services list"')
    _tell(identity, service, became.value, reveal, chosen_format)


@command.command("cancel")
@click.argument("phone")
@click.argument("service")
@reason_option
@actor_option
@reveal_option
@format_option
def cancel(phone: str, service: str, reason: str, actor: str, reveal: bool, chosen_format: Format) -> None:
    """End the subscription of PHONE to SERVICE. That is no opt-out. Exit status 1 where there is none.

    \b
    Examples:
      receiver subscriptions cancel 13912345678 news --reason "asked by telephone" --actor "Li Na"
    """
    chosen = settings()
    identity, service = _identity(phone, chosen), as_it_came(service)
    with opened(chosen) as store, store.writing() as connection:
        now = datetime.now(UTC)
        cancelled = subscriptions.cancel(connection, identity, service, now, reason=reason, actor=actor)
    if not cancelled:
        raise click.ClickException('this phone does not have that service: see "receiver subscriptions list"')
    _tell(identity, service, "cancelled", reveal, chosen_format)


@command.command("import")
@listed.file_argument
@listed.skip_bad_option
@format_option
def import_(file: Path, skip_bad: bool, chosen_format: Format) -> None:
    """Import FILE: CSV with the columns "phone" and "service", and perhaps "since" (else they begin now).

    "since" is a date or time such as 2025-06-03 or 2025-06-03T17:00, China time unless it says. Other columns are left
    alone. UTF-8 or GB18030; commas, semicolons or tabs.

    First the whole file is checked. Bad rows are kept in FILE.rejected.csv, with their line and what is wrong, and then
    nothing is imported: correct them, or say --skip-bad. Rows of opted-out phones are left out always, and kept there
    too. Where there is nothing to keep, FILE.rejected.csv of an earlier import is removed. Exit status 1 if nothing was
    imported.

    Then all of it counts at once, or nothing. Only on SQLite, past 50,000 lines, it counts part by part within seconds,
    so that no reply waits; what a kill leaves of that, the next import or a worker completes. What is there already is
    passed over, so that the same import may be run again.

    \b
    Examples:
      receiver subscriptions import subscribers.csv
      receiver subscriptions import subscribers.csv --skip-bad --format json
    """
    chosen = settings()
    target = listed.beside(file)
    with opened(chosen) as store, listed.sheet(file, ["phone", "service"]) as sheet:
        if before := resume(store):
            hint(f"completed an earlier import that was killed: {before:,} subscriptions")
        wanted = SubscriptionImport(store, sheet, region=chosen.default_region)
        with watched("checking") as progress:
            bad = listed.keep(wanted.check(progress), sheet.columns, target)
        if bad and not skip_bad:
            raise listed.refused(bad, wanted.rows, target)
        try:
            with watched("preparing") as progress:
                wanted.stage(progress)
            left_out = chain(wanted.check(), wanted.opted_out()) if bad else wanted.opted_out()
            opted_out = listed.keep(left_out, sheet.columns, target) - bad
            with watched("importing") as progress:
                new = wanted.take(progress)
        except BaseException:
            with suppress(StoreError):  # where that can't be done now, a later import does it
                wanted.drop()
            raise
    if not bad and not opted_out:
        listed.forget(target)
    counts = {"rows": wanted.rows, "new": new, "already": max(0, wanted.staged - opted_out - new)}
    kept = str(target) if bad or opted_out else None
    render([{**counts, "opted_out": opted_out, "rejected": bad, "rejected_file": kept}], _IMPORTED, chosen_format)


def _tell(phone: str, service: str, status: str, reveal: bool, chosen_format: Format) -> None:
    row = {"phone": phone, "service": service, "status": status}
    render([row if reveal else masked(row, "phone")], _CHANGED, chosen_format)


def _identity(phone: str, chosen: Settings) -> str:
    identity = phone_identity(phone, chosen.default_region)
    if identity is None:
        raise click.UsageError(f"{phone!r} is no phone number: write it like 13912345678 or +8613912345678")
    return identity

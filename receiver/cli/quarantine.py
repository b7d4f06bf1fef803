"""``receiver quarantine``: the deliveries that could not be accepted, and their way back."""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click

from receiver.gateway.replaying import doors, replaying
from receiver.intake.replay import Replay, Status
from receiver.intake.replayable import Doors, waiting
from receiver.store import quarantine
from receiver.store.store import Store
from receiver.vocabulary import Reason

from .database import opened, settings
from .options import ID, after_option, limit_option, period_options, reveal_option
from .output import Column, Format, Row, details, escaped, format_option, hint, masked, render

_HIDDEN = "hidden: it holds the phone; see it with --reveal"
_BATCH = 200

_TABLE = (
    Column("received_at", "received (UTC+8)", fixed=True),
    Column("reason", "reason", style=lambda _: "yellow", fixed=True),
    Column("detail", "detail", widest=True),
    Column("peer", "from address", beneath="from "),
    Column("unsubscribes", "unsubscribed", style=lambda _: "bold red", fixed=True, beneath="unsubscribed "),
    Column("replayed_at", "replayed (UTC+8)", style=lambda _: "green", fixed=True, beneath="replayed "),
    Column("id", "id", style=lambda _: "dim", fixed=True, beneath=""),
)
_FIELDS = tuple(
    map(
        Column,
        ("id", "received_at", "reason", "detail", "peer", "unsubscribes", "replayed_at", "message_id", "size"),
    )
)
_RAW = (Column("raw"), Column("raw_hex"))
_STYLES = {Status.REPLAYED: "green", Status.LEFT: "yellow"}
_RESULTS = (
    Column("id", "id", fixed=True),
    Column("status", "status", style=lambda status: _STYLES.get(status, "red"), fixed=True),
    Column("kind", "kind", fixed=True),
    Column("detail", "why", widest=True),
    Column("duplicate_of", "duplicate of", fixed=True, beneath="duplicate of "),
)


@click.group("quarantine")
def command() -> None:
    """Deliveries that could not be accepted: list them, look into one, replay them.

    \b
    Examples:
      receiver quarantine list --not-replayed
      receiver quarantine show 01973a5e-7d1c-7b3a-9c11-2f0c8f9a4d21 --reveal
      receiver quarantine replay 01973a5e-7d1c-7b3a-9c11-2f0c8f9a4d21
      receiver quarantine replay --all --peer 203.81.21.34
    """


_reason_option = click.option(
    "--reason", type=click.Choice([str(each) for each in Reason]), help="Kept for this reason."
)
_peer_option = click.option("--peer", metavar="ADDRESS", help="That came from this address.")


@command.command("list")
@_reason_option
@_peer_option
@period_options
@click.option("--replayed/--not-replayed", default=None, help="Only those replayed, or those not yet.")
@limit_option
@after_option
@reveal_option
@format_option
def list_(
    reason: str | None,
    peer: str | None,
    since: datetime | None,
    until: datetime | None,
    replayed: bool | None,
    limit: int,
    after: UUID | None,
    reveal: bool,
    chosen_format: Format,
) -> None:
    """List quarantined deliveries, newest first.

    What they said is in json and csv with --reveal alone, since it holds the phone; "show" has it all.

    \b
    Examples:
      receiver quarantine list --reason missing-msg --since 2025-06-01
      receiver quarantine list --not-replayed --format json | wc -l
    """
    chosen = quarantine.Filter(Reason(reason) if reason else None, peer, since, until, replayed)
    with opened(settings()) as store, store.reading() as connection:
        found = quarantine.page(connection, chosen, after=after, limit=limit + 1, with_raw=reveal)
    shown = found[:limit]
    rows = [_with_raw(row) if reveal else masked(row, "unsubscribes") for row in shown]
    fields = (*_FIELDS, *_RAW) if reveal else _FIELDS
    render(rows, _TABLE if chosen_format == "table" else fields, chosen_format)
    if len(found) > limit:
        hint(f"There are more. Continue with: --after {shown[-1]['id']}")


@command.command("show")
@click.argument("quarantine_id", type=ID, metavar="ID")
@reveal_option
@format_option
def show(quarantine_id: UUID, reveal: bool, chosen_format: Format) -> None:
    """Show one quarantined delivery, with --reveal the bytes that it came with."""
    with opened(settings()) as store, store.reading() as connection:
        found = quarantine.get(connection, quarantine_id)
    if found is None:
        raise click.ClickException(f'nothing in quarantine has the id {quarantine_id}: see "receiver quarantine list"')
    hidden = {"raw": _HIDDEN if chosen_format == "table" else None, "raw_hex": None}
    row = _with_raw(found) if reveal else {**masked(found, "unsubscribes"), **hidden}
    details(row, (*_FIELDS, *_RAW), chosen_format)


@command.command("replay")
@click.argument("ids", type=ID, nargs=-1, metavar="[ID]...")
@click.option("--all", "all_", is_flag=True, help="Every delivery not yet replayed, oldest first.")
@_reason_option
@_peer_option
@click.option("--yes", is_flag=True, help="Don't ask.")
@format_option
def replay(
    ids: tuple[UUID, ...], all_: bool, reason: str | None, peer: str | None, yes: bool, chosen_format: Format
) -> None:
    """Read deliveries again with the present settings, and store those that can be accepted now.

    Each is stored as the reply that it was: with the time when it came, its unsubscribe in force, and flagged where it
    is a duplicate. What can't be accepted is left, and its reason told. A delivery is replayed once.

    Deliveries of sources that were refused (source-not-allowed, wrong-token) may be anyone's. "--all" alone takes those
    that would be allowed now; to vouch for the others name them, or choose them with --peer or --reason.

    Exit status 1 if any that was named could not be replayed.

    \b
    Examples:
      receiver quarantine replay 01973a5e-7d1c-7b3a-9c11-2f0c8f9a4d21
      receiver quarantine replay --all --reason refused-by-database
      receiver quarantine replay --all --peer 203.81.21.34 --yes
    """
    if bool(ids) == all_:
        raise click.UsageError("say what to replay: ids, or --all")
    if ids and (reason or peer):
        raise click.UsageError("--reason and --peer choose among --all; leave them away where you name ids")
    chosen = settings()
    with opened(chosen) as store:
        wanted: Iterator[UUID] = iter(dict.fromkeys(ids))
        if all_:
            filters = quarantine.Filter(Reason(reason) if reason else None, peer, replayed=False)
            if not yes:
                _confirm(store, filters)
            wanted = _waiting(store, filters, doors(chosen))
        again = replaying(store, chosen)
        counts: Counter[Status] = Counter()
        render(_replayed(again, wanted, counts), _RESULTS, chosen_format)
    hint(", ".join(f"{number} {status}" for status, number in counts.items()) or "nothing to replay")
    if ids and set(counts) != {Status.REPLAYED}:
        raise click.exceptions.Exit(1)


def _confirm(store: Store, filters: quarantine.Filter) -> None:
    if sys.stdin.isatty():
        with store.reading() as connection:
            number = quarantine.count(connection, filters)
        click.confirm(f"Replay up to {number} deliveries?", abort=True, err=True)


def _waiting(store: Store, filters: quarantine.Filter, open_doors: Doors) -> Iterator[UUID]:
    # Page by page, each in a transaction of its own: replaying writes. What comes in meanwhile is for the next time.
    filters = replace(filters, until=datetime.now(UTC))
    after, left_out = None, 0
    while True:
        part = waiting(store, filters, open_doors, newer_than=after, limit=_BATCH)
        yield from part.wanted
        left_out += part.left_out
        if part.last is None:
            break
        after = part.last
    if left_out:
        click.echo(
            f"Left out: {left_out} of sources or with tokens that are not allowed. To replay them, choose them by id, "
            "--peer or --reason, or allow them in RECEIVER_ALLOWED_SOURCES.",
            err=True,
        )


def _replayed(replay: Replay, wanted: Iterator[UUID], counts: Counter[Status]) -> Iterator[dict[str, Any]]:
    for quarantine_id in wanted:
        result = replay.one(quarantine_id)
        counts[result.status] += 1
        yield {column.name: getattr(result, column.name) for column in _RESULTS}


def _with_raw(row: Row) -> dict[str, Any]:
    return {**row, "raw": escaped(row["raw"]), "raw_hex": row["raw"].hex(" ")}

"""``receiver spool damaged`` and ``settle``: what was set aside, and holds sends until a person has seen to it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from receiver.access import Act, Action
from receiver.access.audit import Via
from receiver.intake.spool import Piece, Spool, is_stop, phone_of, pieces, spool_of
from receiver.optout.guard import blocked
from receiver.optout.register import LONGEST_REASON
from receiver.vocabulary import Reply

from .acts import Words, doer_option
from .database import opened, settings
from .options import reveal_option
from .output import Column, Format, escaped, format_option, hint, masked, render

WHOLE, DOUBTFUL, UNREADABLE = "whole", "doubtful", "unreadable"
_ALARM = "bold red"

_COLUMNS = (
    Column("file", "file", fixed=True),
    Column("read", "is", fixed=True),
    Column("stop", "stop", style=lambda stop: "" if stop is False else _ALARM, fixed=True),
    Column("phone", "phone", fixed=True),
    Column("received_at", "received (UTC+8)", fixed=True),
    Column("text", "text", widest=True),
)
_REVEALED = (*_COLUMNS, Column("content"))


@click.command("damaged")
@reveal_option
@format_option
def damaged(reveal: bool, chosen_format: Format) -> None:
    """Show what was set aside from the spool of pushed replies, piece by piece. Needs no database.

    All of it was acknowledged, and an unsubscribe may be among it: so this machine sends nothing until a person has
    seen to each file. "whole" is as it was written, and the database refused it in any form. Of what is "doubtful" each
    word may be another; of what is "unreadable" nothing could be made out: look at its bytes (--reveal with --format
    json), and ask the gateway for its records. Opt out whoever said stop, then settle the file.

    \b
    Examples:
      receiver spool damaged --reveal
      receiver optouts add 13912345678 --reason "said stop; damaged in the spool" --actor "Li Na"
      receiver spool settle 019ac2f0-7c55-7d6c-8f38-8f6c1a2b3c4d.damaged --reason "all opted out" --actor "Li Na"
    """
    rows = list(_rows(spool_of(settings())))
    columns = _REVEALED if reveal else _COLUMNS
    render(rows if reveal else [masked(row, "phone") for row in rows], columns, chosen_format)
    if rows:
        hint('Opt out whoever said stop with "receiver optouts add", then "receiver spool settle FILE".')


@click.command("settle")
@click.argument("file")
@click.option("--reason", type=Words(LONGEST_REASON), required=True, help="How it was seen to: the audit keeps it.")
@doer_option
def settle(file: str, reason: str, actor: str) -> None:
    """Say that a person has seen to the damaged FILE: it holds no sends any more.

    Its bytes stay, in a file that ends with .settled; the audit keeps who did it and why. Exit status 1 where there is
    no such file, and where somebody said stop in it, in a piece that is whole, who is not opted out.
    """
    chosen = settings()
    spool = spool_of(chosen)
    path = next((path for path in spool.damaged() if path.name == Path(file).name), None)
    if path is None:
        raise click.ClickException('there is no such damaged file: see "receiver spool damaged"')
    stops = {piece.stop for piece in pieces(path) if piece.is_whole and piece.stop is not None}
    with opened(chosen) as store:
        if len(blocked(store, stops, chosen.default_region).blocked) < len(stops):
            raise click.ClickException(
                "somebody said stop in it who is not opted out: "
                'see "receiver spool damaged", then "receiver optouts add"'
            )
        Act(Action.SPOOL_SETTLED, actor, Via.CLI, path.name, {"reason": reason}).record(store)
        spool.settle(path)
    click.echo(f"{path.with_suffix('.settled').name}: it holds no sends any more")


def _rows(spool: Spool) -> Iterator[dict[str, Any]]:
    for path in spool.damaged():
        for piece in pieces(path):
            yield {"file": path.name, **_said(piece), "content": escaped(piece.content)}


def _said(piece: Piece) -> dict[str, Any]:
    item = piece.item
    if item is None:
        return {"read": UNREADABLE, "stop": None, "phone": None, "received_at": None, "text": None}
    return {
        "read": WHOLE if piece.is_whole else DOUBTFUL,
        "stop": is_stop(item),
        "phone": phone_of(item),
        "received_at": item.received_at,
        "text": item.delivery.text if isinstance(item, Reply) else None,
    }

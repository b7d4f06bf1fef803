"""What became of a send, as people and programs see it: a summary, and everybody who was not reached."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

import click

from receiver.cli.output import Column, Format, Row, hint, masked, render
from receiver.gateway import meaning_of
from receiver.store import sends
from receiver.store.sends import State
from receiver.store.store import Store

STYLES = {
    State.ACCEPTED: "green",
    State.REFUSED: "bold red",
    State.BLOCKED: "bold red",
    State.IN_DOUBT: "bold yellow",
    State.CANCELLED: "yellow",
}
# On a terminal, of those who were not reached; programs get all.
_SHOWN = 20
_PAGE = 1_000

status = Column("status", "status", style=lambda state: STYLES.get(state, ""), fixed=True)
_SUMMARY = (
    status,
    Column("people", "people", fixed=True),
    Column("code", "code", fixed=True),
    Column("meaning", "meaning", widest=True),
    Column("meaning_zh", "说明", beneath=""),
)
PEOPLE = (
    Column("phone", "phone", fixed=True),
    status,
    Column("code", "code", fixed=True),
    Column("detail", "why", widest=True),
)
_FIELDS = tuple(map(Column, ("kind", "send", "phone", "status", "people", "code", "meaning", "meaning_zh", "detail")))


def report(store: Store, send_id: UUID, chosen_format: Format, *, reveal: bool) -> dict[str, int]:
    """Print what became of a send; how many people are in which state.

    For programs each line says its ``kind``: ``outcome`` counts the people of one status and code, ``recipient`` is one
    who was not reached.
    """
    with store.reading() as connection:
        outcomes = [dict(row) for row in sends.outcomes(connection, send_id)]
    summary: list[Row] = [
        {"kind": "outcome", "send": send_id, "phone": None, "detail": None, "status": row["state"],
         "people": row["people"], **meanings(row["code"])}
        for row in outcomes
    ]  # fmt: skip
    rows = _unreached(store, send_id, reveal)
    if chosen_format == "table":
        render(summary, _SUMMARY, chosen_format)
        shown = [row for row, _ in zip(rows, range(_SHOWN + 1), strict=False)]
        if shown:
            render(shown[:_SHOWN], PEOPLE, chosen_format)
        if len(shown) > _SHOWN:
            hint(f"There are more. See them with: receiver gateway sends show {send_id}")
        if any(row["state"] == State.IN_DOUBT for row in outcomes):
            hint(
                "In doubt: it may have been sent, and is not sent again. When you have found out: "
                f"receiver gateway sends settle {send_id} --as sent|not-sent --reason ..."
            )
    else:
        render(_joined(summary, rows), _FIELDS, chosen_format)
    counted: dict[str, int] = {}
    for row in outcomes:
        counted[row["state"]] = counted.get(row["state"], 0) + row["people"]
    return counted


def meanings(code: int | None) -> dict[str, Any]:
    """A code of the gateway's with its meaning in both languages."""
    if code is None:
        return {"code": None, "meaning": None, "meaning_zh": None}
    meaning = meaning_of(code)
    return {"code": code, "meaning": meaning.english, "meaning_zh": meaning.chinese}


def person(row: Row, *, reveal: bool) -> dict[str, Any]:
    """A recipient's row to be shown: the phone masked unless ``reveal``."""
    shown = {**row, "kind": "recipient", "send": row["send_id"], "status": row["state"], "people": 1}
    shown |= meanings(row["code"])
    return shown if reveal else masked(shown, "phone", "written")


def ended(counted: dict[str, int], *, waiting_is_done: bool = False) -> None:
    """Raise Exit(1) unless all were accepted; or, where nothing was to be sent yet, are queued."""
    good = {State.ACCEPTED, State.QUEUED} if waiting_is_done else {State.ACCEPTED}
    if not counted.keys() <= good:
        raise click.exceptions.Exit(1)


def _unreached(store: Store, send_id: UUID, reveal: bool) -> Iterator[dict[str, Any]]:
    after: str | None = None
    while True:
        with store.reading() as connection:
            page: Sequence[Any] = sends.recipients(connection, send_id, unreached=True, after=after, limit=_PAGE)
        yield from (person(row, reveal=reveal) for row in page)
        if len(page) < _PAGE:
            return
        after = page[-1]["phone"]


def _joined(first: Iterable[Row], then: Iterable[Row]) -> Iterator[Row]:
    yield from first
    yield from then

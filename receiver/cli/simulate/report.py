"""What the simulator found out, for people and for programs."""

import json
from typing import Any, Literal

import click

from receiver.cli.output import Column, render
from receiver.gateway.simulator.load import Account, Audit
from receiver.gateway.simulator.push import MEANINGS, Tally
from receiver.gateway.simulator.target import Target

Form = Literal["table", "json"]
# Numbers of faulty replies that are listed.
_SHOWN = 10


def show_unreachable(target: Target) -> None:
    where = f"{'https' if target.tls else 'http'}://{target.host}{target.path.partition('?')[0]}"
    click.echo(f"Error: no answer from {where}. Does it run? Start it with: receiver serve", err=True)


def show_tally(tally: Tally, elapsed: float, count: int, form: Form) -> None:
    """What was answered to a push of ``count`` replies."""
    if form == "json":
        _print_json({"pushed": tally.pushed, "answers": dict(tally.answers), **_pace(tally, elapsed)})
    elif count == 1:
        for said in tally.answers:
            click.echo(f"{said}  {_meaning(said)}")
    else:
        _print_counts("answer", [(said, replies, _meaning(said)) for said, replies in tally.answers.most_common()])
        click.echo(_speed(tally, elapsed))


def show_account(account: Account, found: Audit, tally: Tally, elapsed: float, form: Form) -> None:
    """What became of a run of load."""
    if form == "json":
        _print_json(
            {
                "ok": found.ok,
                "sent": account.sent,
                "acknowledged": account.acknowledged,
                "refused": dict(account.refused),
                "unanswered": account.unanswered,
                "unreachable": account.unreachable,
                "stored": found.stored,
                "stored_unacknowledged": found.unpromised,
                "lost": len(found.lost),
                "stored_twice": len(found.doubled),
                "altered": len(found.altered),
                "unsubscribes_acknowledged": account.unsubscribes_acknowledged,
                "unsubscribes_in_force": found.in_force,
                **_pace(tally, elapsed),
            }
        )
        return
    _print_counts(
        "account",
        [
            ("sent", account.sent, ""),
            ("acknowledged", account.acknowledged, "answered 0"),
            *((f"answered {said}", replies, _meaning(said)) for said, replies in account.refused.most_common()),
            ("unanswered", account.unanswered, "may be stored or not"),
            ("unreachable", account.unreachable, "attempts that found no server, repeated until one did"),
            ("stored", found.stored, f"of them never acknowledged: {found.unpromised:,}"),
            ("lost", len(found.lost), "acknowledged and not stored"),
            ("stored twice", len(found.doubled), ""),
            ("altered", len(found.altered), "stored with another text, phone or kind"),
            ("unsubscribes acknowledged", account.unsubscribes_acknowledged, ""),
            ("unsubscribes in force", found.in_force, "of those acknowledged"),
        ],
    )
    click.echo(_speed(tally, elapsed))
    for name, numbers in _faults(found):
        shown = ", ".join(map(str, numbers[:_SHOWN])) + (", …" if len(numbers) > _SHOWN else "")
        click.echo(f"{name}, by number in the run: {shown}", err=True)
    verdict = "Everything" if found.ok else "NOT everything"
    click.echo(f"{verdict} that was acknowledged is stored exactly once and in force.")


def _faults(found: Audit) -> list[tuple[str, list[int]]]:
    faults = [
        ("lost", found.lost),
        ("stored twice", found.doubled),
        ("altered", found.altered),
        ("not in force", found.not_in_force),
    ]
    return [(name, numbers) for name, numbers in faults if numbers]


def _meaning(said: str) -> str:
    if said.startswith("no answer"):
        return "may be stored or not"
    if said.startswith("unreachable"):
        return "not sent"
    return MEANINGS.get(said, "no answer of the protocol: is this the receiver's URL?")


def _pace(tally: Tally, elapsed: float) -> dict[str, float | None]:
    return {
        "seconds": round(elapsed, 3),
        "p50_ms": _milliseconds(tally.percentile(0.5)),
        "p99_ms": _milliseconds(tally.percentile(0.99)),
    }


def _speed(tally: Tally, elapsed: float) -> str:
    pace = _pace(tally, elapsed)
    per_second = tally.pushed / max(elapsed, 1e-9)
    return f"{per_second:,.0f} per second for {elapsed:.1f} s; p50 {pace['p50_ms']} ms, p99 {pace['p99_ms']} ms"


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def _print_json(result: dict[str, Any]) -> None:
    click.echo(json.dumps(result))


def _print_counts(heading: str, counts: list[tuple[str, int, str]]) -> None:
    columns = [Column("name", heading), Column("replies", "replies"), Column("meaning", "meaning")]
    rows = [{"name": name, "replies": f"{replies:>9,}", "meaning": meaning} for name, replies, meaning in counts]
    render(rows, columns, "table")

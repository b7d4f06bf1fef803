"""What a send would be, for ``gateway send --dry-run``: its calls, its cost, and who would be left out."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from receiver.cli.output import Column, Format, details, masked, render
from receiver.gateway.sending import Invalid, Plan

_PLAN = tuple(
    map(Column, ("recipients", "blocked", "invalid", "repeated", "characters", "parts", "sms", "at", "batches"))
)
_BATCHES = (Column("calls", "calls"), Column("phones", "phones in each"), Column("to", "to"))
_LEFT_OUT = (
    Column("phone", "phone", fixed=True),
    Column("status", "status", style=lambda _: "bold red", fixed=True),
    Column("detail", "why", widest=True),
)


def show_plan(plan: Plan, places: Mapping[str, str], chosen_format: Format, *, reveal: bool) -> None:
    """Print ``plan``; for programs as one object with its ``calls`` and everybody who is ``left_out``.

    ``places`` is where a phone was given, by how it is written.
    """
    left_out = [
        *({"phone": person.identity, "status": "blocked", "detail": why.reason} for person, why in plan.blocked),
        *(
            {"phone": each.written, "status": "invalid", "detail": _problem(each, places)}
            for each in plan.recipients.invalid
        ),
    ]
    left_out = left_out if reveal else [masked(row, "phone") for row in left_out]
    calls = [
        {"number": number, "phones": len(batch), "to": "PHS" if batch[0].is_phs else "mobiles"}
        for number, batch in enumerate(plan.batches, 1)
    ]
    row: Mapping[str, Any] = {
        "recipients": len(plan.allowed),
        "blocked": len(plan.blocked),
        "invalid": len(plan.recipients.invalid),
        "repeated": plan.recipients.repeated,
        "characters": plan.characters,
        "parts": plan.parts,
        "sms": plan.cost,
        "at": plan.at,
        "batches": len(calls),
        "calls": calls,
        "left_out": left_out,
    }
    if chosen_format != "table":
        render([row], (*_PLAN, Column("calls"), Column("left_out")), chosen_format)
        return
    details({**row, "sms": f"about {plan.cost:,}" if plan.parts > 1 else f"{plan.cost:,}"}, _PLAN, chosen_format)
    alike = Counter((call["phones"], call["to"]) for call in calls)
    render([{"calls": count, "phones": size, "to": to} for (size, to), count in alike.items()], _BATCHES, chosen_format)
    if left_out:
        render(left_out, _LEFT_OUT, chosen_format)


def _problem(invalid: Invalid, places: Mapping[str, str]) -> str:
    place = places.get(invalid.written)
    return invalid.problem if place is None else f"{place}: {invalid.problem}"

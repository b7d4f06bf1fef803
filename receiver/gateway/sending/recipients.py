"""Whom a text goes to: each person once, written as the gateway takes it, in calls that it allows (protocol.md §2)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from receiver.vocabulary import phone_identity

# "Fewer than 100" phones in a call (protocol.md §2).
LARGEST_BATCH = 99

_MOBILE = re.compile(r"\+86(1[3-9][0-9]{9})")
# PHS and other numbers that begin with an area code: 10, 2x or three digits, then seven or eight. 400 and 800 are none.
_WITH_AREA_CODE = re.compile(r"\+86((?:10|2[0-9]|(?!400|800)[3-9][0-9]{2})[0-9]{7,8})")


@dataclass(frozen=True, slots=True)
class Recipient:
    """One person: who that is (E.164), how the number is written to the gateway, and how it first came."""

    identity: str
    wire: str
    is_phs: bool
    written: str


class Problem(StrEnum):
    """Why something can't be sent to, in words that follow it."""

    NO_PHONE = "is no phone number"
    NEITHER = "is neither a mobile nor a number with an area code"
    FOREIGN = "is of another country: this gateway reaches mainland China alone"


@dataclass(frozen=True, slots=True)
class Invalid:
    """What was given and can't be sent to, and why."""

    written: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class Recipients:
    """What a list of phones comes to. ``forms`` is every string that was given for a person, with the identity."""

    people: tuple[Recipient, ...] = field(repr=False)
    invalid: tuple[Invalid, ...] = field(repr=False)
    forms: dict[str, str] = field(repr=False)
    repeated: int

    @property
    def any_phs(self) -> bool:
        return any(person.is_phs for person in self.people)


def recipients(phones: Iterable[str], region: str) -> Recipients:
    """Each person among ``phones``, written in any way, once, in the order in which they first came."""
    people: dict[str, Recipient] = {}
    invalid: dict[str, Invalid] = {}
    forms: dict[str, str] = {}
    given = 0
    for phone in phones:
        given += 1
        if phone in forms or phone in invalid:
            continue
        identity = phone_identity(phone, region)
        wire = None if identity is None else wire_form(identity)
        if identity is None or wire is None:
            invalid[phone] = Invalid(phone, Problem.NO_PHONE if identity is None else _not_for_this_gateway(identity))
            continue
        forms[phone] = identity
        is_phs = not _MOBILE.fullmatch(identity)
        people.setdefault(identity, Recipient(identity, wire, is_phs, phone))
    return Recipients(tuple(people.values()), tuple(invalid.values()), forms, given - len(people) - len(invalid))


def wire_form(identity: str) -> str | None:
    """How the gateway takes a number: mobiles as eleven digits, others as 0 and the area code; None: not at all."""
    if mobile := _MOBILE.fullmatch(identity):
        return mobile[1]
    if fixed := _WITH_AREA_CODE.fullmatch(identity):
        return "0" + fixed[1]
    return None


def batches(people: Sequence[Recipient]) -> list[tuple[Recipient, ...]]:
    """The calls that a send takes: mobiles and PHS apart, at most 99 in each (protocol.md §2)."""
    mobiles = [person for person in people if not person.is_phs]
    phs = [person for person in people if person.is_phs]
    starts = ((kind, start) for kind in (mobiles, phs) for start in range(0, len(kind), LARGEST_BATCH))
    return [tuple(kind[start : start + LARGEST_BATCH]) for kind, start in starts]


def _not_for_this_gateway(identity: str) -> Problem:
    return Problem.NEITHER if identity.startswith("+86") else Problem.FOREIGN

"""A send as somebody asks for it, and what it comes to: whom, in how many calls, at what cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from receiver.gateway.client.request import length
from receiver.optout.guard import Blocked, Verdict
from receiver.vocabulary import mask

from .recipients import Invalid, Recipient, Recipients, batches, recipients
from .rules import Inadmissible, Rule, check_sender, check_text, gateway_minute, parts

# A send is stored in one transaction, which on SQLite holds up replies: so many take about a second.
MOST_RECIPIENTS = 20_000
# Phones that a refusal names.
_NAMED = 5
NOWHERE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SendRequest:
    """One text to many phones, written in any way. ``at`` is when the gateway shall send it (aware).

    ``hold`` keeps it here until five minutes before; ``base`` is the service number that ``sender`` extends, where it
    is known; without ``skip_invalid`` one that is no phone refuses them all.
    """

    phones: Sequence[str] = field(repr=False)
    text: str = field(repr=False)
    at: datetime | None = None
    hold: bool = False
    sender: str | None = None
    base: str | None = None
    long: bool = False
    skip_invalid: bool = False


class InvalidPhones(Inadmissible):
    """Some of the phones can't be sent to; ``invalid`` are all of them."""

    def __init__(self, invalid: Sequence[Invalid], of: int) -> None:
        self.invalid, self._of = tuple(invalid), of
        super().__init__(self.told(), Rule.PHONES, count=len(self.invalid))

    def told(self, places: Mapping[str, str] = NOWHERE) -> str:
        """The message, which names phones by where they were given, where ``places`` knows that."""
        return (
            f"{len(self.invalid):,} of {self._of:,} phones can't be sent to, and nothing was: "
            f"{named(self.invalid, places)}. Correct them, or leave them out with --skip-invalid"
        )


@dataclass(frozen=True, slots=True)
class Stopped:
    """Why somebody may not be texted, what the register has them under, and since when where it was just asked."""

    registered: str = field(repr=False)
    reason: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A send that may be made: the whole list, without those who are blocked where that was asked."""

    recipients: Recipients
    at: datetime | None
    characters: int
    parts: int
    allowed: tuple[Recipient, ...] = field(repr=False)
    blocked: tuple[tuple[Recipient, Stopped], ...] = field(default=(), repr=False)

    @property
    def batches(self) -> list[tuple[Recipient, ...]]:
        return batches(self.allowed)

    @property
    def cost(self) -> int:
        """How many SMS it is; of a long text about so many."""
        return len(self.allowed) * self.parts


def planned(request: SendRequest, *, region: str, charset: str, now: datetime) -> Plan:
    """What ``request`` comes to by the gateway's rules alone. Raises Inadmissible."""
    check_sender(request.sender, request.base)
    at = None if request.at is None else gateway_minute(request.at, now)
    if request.hold and at is None:
        raise Inadmissible("--hold keeps a send until shortly before its time: say --at too", Rule.TIME_NEEDED)
    found = recipients(request.phones, region)
    if found.invalid and not request.skip_invalid:
        raise InvalidPhones(found.invalid, len(found.invalid) + len(found.people))
    if not found.people:
        raise Inadmissible("there is nobody to send to: name a phone with --to or --to-file", Rule.NOBODY)
    if len(found.people) > MOST_RECIPIENTS:
        raise Inadmissible(
            f"{len(found.people):,} recipients are more than {MOST_RECIPIENTS:,}: split the list into several sends",
            Rule.TOO_MANY,
            count=len(found.people),
            most=MOST_RECIPIENTS,
        )
    check_text(request.text, any_phs=found.any_phs, long=request.long, charset=charset)
    count = length(request.text)
    return Plan(found, at, count, parts(count), found.people)


def without_blocked(plan: Plan, verdict: Verdict) -> Plan:
    """``plan`` without the people that the guard blocks in any form that was given, or by their identity."""
    forms = plan.recipients.forms
    stopped = {
        forms.get(each.written, each.written): Stopped(each.identity, reason_of(each), each.since)
        for each in verdict.blocked
    }
    people = plan.recipients.people
    allowed = {identity for _, identity in verdict.allowed} - stopped.keys()
    return replace(
        plan,
        allowed=tuple(person for person in people if person.identity in allowed),
        blocked=tuple((person, stopped[person.identity]) for person in people if person.identity in stopped),
    )


def named(invalid: Sequence[Invalid], places: Mapping[str, str] = NOWHERE) -> str:
    """The first few of them, masked, each with what is wrong, and where it was given."""
    told = [
        f"{places[each.written]}: {shown(each.written)} {each.problem}"
        if each.written in places
        else f"{shown(each.written)} {each.problem}"
        for each in invalid[:_NAMED]
    ]
    more = f" and {len(invalid) - _NAMED:,} more" if len(invalid) > _NAMED else ""
    return ", ".join(told) + more


def reason_of(blocked: Blocked) -> str:
    """Why the guard blocks somebody, in words."""
    return f"opted out since {blocked.since:%Y-%m-%d %H:%M} UTC ({blocked.source})"


def shown(written: str) -> str:
    """What was given for a phone, masked, and in few characters."""
    return mask("".join(char for char in written if char.isalnum() or char == "+")[:20])

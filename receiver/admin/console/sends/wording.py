"""Words for what sending knows by codes: states, rules, lists that can't be read, and the gateway's failures."""

import re
from datetime import UTC, datetime

from flask_babel import format_datetime

from receiver.gateway import GatewayError, InDoubt, NotSent, Refusal
from receiver.gateway.sending import Inadmissible, Problem, Rule
from receiver.gateway.sending.listed import BadLine, BadList, Fault
from receiver.store.sends import State

from .. import meanings
from ..languages import Words, gettext, lazy_gettext, ngettext
from ..optouts.words import SOURCES
from ..problems import failure_told

STATES: dict[str, Words] = {
    State.QUEUED: lazy_gettext("queued"),
    State.SENDING: lazy_gettext("being sent"),
    State.ACCEPTED: lazy_gettext("accepted"),
    State.REFUSED: lazy_gettext("refused"),
    State.BLOCKED: lazy_gettext("blocked"),
    State.IN_DOUBT: lazy_gettext("in doubt"),
    State.CANCELLED: lazy_gettext("cancelled"),
}
KINDS = {
    State.ACCEPTED: "good",
    State.REFUSED: "bad",
    State.BLOCKED: "warn",
    State.IN_DOUBT: "bad",
    State.CANCELLED: "warn",
}
"""By state, how it is coloured (macros.badge)."""
PROBLEMS: dict[str, Words] = {
    Problem.NO_PHONE: lazy_gettext("no phone number"),
    Problem.NEITHER: lazy_gettext("neither a mobile nor a number with an area code"),
    Problem.FOREIGN: lazy_gettext("of another country: this gateway reaches mainland China alone"),
}
_RULES: dict[Rule, tuple[str, Words]] = {
    Rule.TEXT_UNSEEN: ("text", lazy_gettext("Write a text: nothing in this one can be seen.")),
    Rule.LONG_TO_PHS: (
        "text",
        lazy_gettext("A long SMS goes to mobiles only: send to the numbers with an area code (PHS) apart."),
    ),
    Rule.SENDER_DIGITS: ("sender", lazy_gettext("Write digits only, like 01.")),
    Rule.TIME_PAST: (
        "at",
        lazy_gettext("This is past, or less than a minute ahead: choose a later time, or none to send at once."),
    ),
    Rule.TIME_FAR: ("at", lazy_gettext("This is more than a year ahead: choose an earlier time.")),
    Rule.TIME_NEEDED: ("at", lazy_gettext("Choose a time.")),
    Rule.NOBODY: ("phones", lazy_gettext("There is nobody to send to: write a number like 13900000001.")),
    Rule.PHONES: ("phones", lazy_gettext("Some of these can't be sent to: look at the preview again.")),
    Rule.OTHER_SEND: ("text", lazy_gettext("This preview was sent already, with other words: look at it again.")),
}
_LISTS: dict[Fault, Words] = {
    Fault.NO_TEXT: lazy_gettext("This file is no text: save it as CSV (UTF-8)."),
    Fault.CHARSET: lazy_gettext("This file is neither UTF-8 nor GB18030: save it as one of them."),
    Fault.HEADING: lazy_gettext("The first line is neither a phone nor a heading with one column “phone” or “手机”."),
}
_LINES: dict[Fault, Words] = {
    Fault.QUOTE: lazy_gettext("has a quote that is not closed, or out of place"),
    Fault.CELLS: lazy_gettext("has more cells than the heading"),
    Fault.SEVERAL: lazy_gettext("has more than one phone: write one a line, or a heading"),
    Fault.NO_PHONE: lazy_gettext("has no phone"),
}
_LINES_TOLD = 5
# receiver.gateway.sending.request.reason_of
_BLOCKED = re.compile(r"opted out since (\d{4}-\d\d-\d\d \d\d:\d\d) UTC \((\w+)\)")


def refused(wrong: Inadmissible) -> tuple[str, str]:
    """The field that a broken rule is about, and what to do."""
    values = wrong.values
    match wrong.rule:
        case Rule.TEXT_LENGTH:
            told = gettext("There are %(count)s characters, and at most %(allowed)s are allowed: shorten it.", **values)
            return "text", told
        case Rule.TEXT_CHARACTER:
            code = f"U+{ord(values['char']):04X}"
            return "text", gettext("A character in it can't be sent (%(code)s): leave it out.", code=code)
        case Rule.SENDER_LENGTH:
            return "sender", gettext("Write at most %(longest)s digits.", **values)
        case Rule.TOO_MANY:
            told = gettext("%(count)s people are more than %(most)s: make several sends of them.", **values)
            return "phones", told
        case None:
            raise wrong
        case rule:
            field, words = _RULES[rule]
            return field, str(words)


# Templates ask for it here, beside the other words of a send.
meant = meanings.meant


def noted(detail: str) -> str:
    """What is kept with a recipient or a send: why the guard blocked it, or how it failed."""
    if found := _BLOCKED.fullmatch(detail):
        since = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
        told = format_datetime(since, "yyyy-MM-dd HH:mm")
        return gettext("opted out since %(since)s: %(how)s", since=told, how=SOURCES.get(found[2], found[2]))
    return failure_told(detail)


def unreadable(wrong: BadList) -> str:
    """Why an uploaded list can't be taken."""
    if wrong.fault is not Fault.LINES:
        return str(_LISTS[wrong.fault])
    told = [_line(line) for line in wrong.lines[:_LINES_TOLD]]
    if more := len(wrong.lines) - _LINES_TOLD:
        told += [ngettext("%(num)d line more", "%(num)d lines more", more)] if more > 0 else []
    return gettext("Correct the file: %(lines)s.", lines="; ".join(told))


def failed(failure: GatewayError) -> str:
    """Why the gateway did not do what it was asked."""
    match failure:
        case Refusal():
            return meanings.refused(failure.code)
        case NotSent():
            return gettext("The gateway can't be reached: check RECEIVER_GATEWAY_URL, and the network to it.")
        case InDoubt():
            return gettext("The gateway did not answer in time, or not in a way that can be read. Try again later.")
    return gettext("The gateway can't be asked this.")


def _line(line: BadLine) -> str:
    return gettext("line %(number)s %(problem)s", number=line.number, problem=_LINES[line.fault])

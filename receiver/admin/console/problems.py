"""What other rooms say in English (of lists, services, ledger, quarantine), in the language of whoever reads it."""

import re
from functools import lru_cache

from .languages import gettext


def _(said: str) -> str:
    """``said``, so that it is collected for the catalogue."""
    return said


# As they are said there, with names for what differs. What is not among them is shown as it is.
_SAID = (
    # receiver.optout.sheet, receiver.optout.imports
    _("%(name)s is a workbook: save it as CSV UTF-8"),
    _("%(name)s is UTF-16: save it as CSV UTF-8"),
    _("%(name)s is no text: save it as CSV UTF-8"),
    _("%(name)s is empty: there is nothing to import"),
    _("%(name)s has a heading and no row beneath it: there is nothing to import"),
    _("%(name)s has no column %(column)s: its first line is the heading and has %(heading)s"),
    _("the heading of %(name)s has a column twice: %(heading)s"),
    _("has a quote that is not closed, or out of place"),
    _("has %(cells)s cells where the heading has %(columns)s"),
    _("is longer than any row could be"),
    _("is neither UTF-8 nor GB18030"),
    _("is no phone number: write it like 13912345678 or +8613912345678"),
    _("has no phone"),
    _("since is no date or time: write it like 2025-06-03 or 2025-06-03T17:00"),
    _("since lies in the future"),
    _("the reason is longer than %(longest)s characters"),
    # receiver.optout.services
    _("a code is 1 to 64 letters, digits, dots, hyphens or underscores"),
    _("a name is one line of 1 to %(longest)s characters"),
    _("a service number is 1 to 32 digits"),
    _("%(code)s has or had subscribers, whose history stays: it can't be removed"),
    # receiver.optout.verify
    _("was removed: its number is missing"),
    _("was removed: the head is further on, at event %(event)s"),
    _("was inserted or moved: it does not follow the event before it"),
    _("was edited: it holds what no event can"),
    _("was edited: its hash is not that of what it says"),
    _("is not what the head's row says: events were added past it, or it was changed"),
    _("is the last, and the pinned head is not on the chain: its tail was cut off"),
    _("%(phone)s is opted out by the ledger, and not in the register"),
    _("%(phone)s is not opted out by the ledger, but is in the register"),
    _("%(phone)s is opted out with another %(fields)s in the register than in the ledger"),
    _("%(phone)s is opted out, and has an active subscription"),
    # receiver.vocabulary.parse, receiver.callback.views, receiver.gateway.replaying
    _("its address is not allowed"),
    _("its token is missing or wrong"),
    _("method %(method)s delivers nothing"),
    _("a body of type %(kind)s is no form"),
    _("more than %(longest)s bytes; at most %(kept)s are kept"),
    _("there is no parameter %(name)s"),
    _("parameter %(name)s came %(times)s times with different values"),
    _("parameter src is empty"),
    _("src has %(length)s characters, more than %(longest)s"),
    _("dst has %(length)s characters, more than %(longest)s"),
    _("id has %(length)s characters, more than %(longest)s"),
    _("more than %(longest)s bytes"),
    _("the gateway says that there was nothing to read"),
    _("the database refused it: %(cause)s"),
)
_PLACE = re.compile(r"%\\\((\w+)\\\)s")


def told(said: str) -> str:
    """``said``, the message of a room that is not the console, in the language of this request."""
    for template, pattern in _patterns():
        if found := pattern.fullmatch(said):
            return gettext(template, **found.groupdict())
    return said


@lru_cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(template, re.compile(_PLACE.sub(r"(?P<\1>.+)", re.escape(template)), re.DOTALL)) for template in _SAID]

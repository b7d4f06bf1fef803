"""What other rooms say in English (of lists, the ledger, sends, tasks), in the language of whoever reads it."""

import re
from functools import lru_cache

from .languages import gettext
from .meanings import refused


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
    _("is the last, and the pinned head is event %(event)s: its number is another"),
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
    # receiver.gateway.client
    _("no connection to %(site)s: %(cause)s"),
    _("the connection to %(site)s was of no use: %(cause)s"),
    _("while asking, %(cause)s"),
    _(
        "nothing was asked for, since whether the gateway takes POST is not known: %(cause)s; "
        "RECEIVER_GATEWAY_METHOD can say it"
    ),
    _("the gateway answered HTTP %(status)s: it takes no POST; set RECEIVER_GATEWAY_METHOD=get"),
    _("the gateway answered HTTP %(status)s"),
    _("no answer in time"),
    _("the answer is larger than %(bytes)s bytes"),
    _("its certificate can't be trusted: %(why)s"),
    _("the connection was closed without an answer"),
    _("the answer is cut"),
    _("the connection was lost"),
    _("it is not HTTP"),
    _("it has no address"),
    _("this can't be a host's name"),
    _("it was closed before anything was asked"),
    _("something was said before anything was asked"),
    _("connection refused"),
    _("network is unreachable"),
    _("no route to host"),
    _("name or service not known"),
    _("temporary failure in name resolution"),
    _("the gateway's answer contradicts itself"),
    _("the gateway's answer may be cut: it has no %(name)s"),
    _("the gateway's answer may be cut: nothing tells where it ends"),
    _("the gateway's answer has two values of %(name)s"),
    _("the gateway's answer has no %(name)s that can be relied on"),
    _("the gateway's answer has no %(name)s"),
    _("the gateway's answer ends within %(name)s"),
    _("the gateway's answer has a reply, and an id that says that there is none"),
    _("the gateway answered with a page, not with fields"),
    # receiver.gateway.sending
    _("not tried: %(cause)s"),
    _("not sent: the process was held up after it had asked the guard"),
    _("not sent: the process was ended before its call"),
    _("not sent: its time had come before it could be handed to the gateway, which would have sent it at once"),
    _("the process that sent it ended, or lost the database, before it recorded the gateway's answer"),
    _("the gateway's answer contradicts itself about this phone"),
    _("the gateway's answer does not say whether this phone was accepted"),
    _("nobody was left to send to"),
    # receiver.gateway.polling, receiver.worker, receiver.store
    _("the database can't store a reply now: what was pulled waits in the spool"),
    _("%(folder)s can't be written: %(cause)s. No reply is pulled"),
    _("%(folder)s can't be written: %(cause)s. No more is pulled"),
    _("%(folder)s can't be written: %(cause)s, nor can the database. A pulled reply is in memory alone"),
    _("permission denied"),
    _("no space left on device"),
    _("read-only file system"),
    _("%(count)s pulled since this poller started"),
    _("%(count)s waiting in %(folder)s"),
    _("%(count)s corrupt in %(folder)s"),
    _("%(task)s: its lease of %(seconds)s s ran out"),
    _("%(count)s attempts met other writers: %(cause)s"),
)
# The values that are said by another room in their turn.
_CAUSE = "cause"
# How a failure begins that is told with its kind (receiver.worker.failure), and one of which no more may be told.
_KIND = re.compile(r"([A-Z]\w+): (.+)", re.DOTALL)
_FAULT = re.compile(r"(\w+) in (\S+)")
# A page of the gateway's, and what became of the call to it.
_CALL = re.compile(r"(\w+\.asp): (.+)", re.DOTALL)
_REFUSAL = re.compile(r"the gateway refused it: (-?\d+) .+", re.DOTALL)
_PLACE = re.compile(r"%\\\((\w+)\\\)s")


def told(said: str) -> str:
    """``said``, the message of a room that is not the console, in the language of this request."""
    for template, pattern in _patterns():
        if found := pattern.fullmatch(said):
            values = found.groupdict()
            if _CAUSE in values:
                values[_CAUSE] = told(values[_CAUSE])
            return gettext(template, **values)
    if found := _REFUSAL.fullmatch(said):
        return refused(int(found[1]))
    if found := _CALL.fullmatch(said):
        return f"{found[1]}: {told(found[2])}"
    return said


def failure_told(said: str) -> str:
    """What was recorded of a failure, or of how a task goes; what is not ours is left as it is, with its kind."""
    if found := _FAULT.fullmatch(said):
        return gettext("a fault in the receiver: %(kind)s in %(place)s", kind=found[1], place=found[2])
    if found := _KIND.fullmatch(said):
        inner = told(found[2])
        return said if inner == found[2] else inner
    parts = [(part, told(part)) for part in said.split("; ")]
    if all(part != known for part, known in parts):
        return "; ".join(known for _, known in parts)
    return told(said)


@lru_cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(template, re.compile(_PLACE.sub(r"(?P<\1>.+)", re.escape(template)), re.DOTALL)) for template in _SAID]

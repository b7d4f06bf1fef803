"""Words for what register and ledger know by codes."""

from receiver.vocabulary.ledger import EventType
from receiver.vocabulary.register import SUBSCRIBER, SYSTEM, Source

from ..languages import Words, lazy_gettext

SOURCES: dict[str, Words] = {
    Source.SMS: lazy_gettext("SMS"),
    Source.MANUAL: lazy_gettext("by hand"),
    Source.IMPORT: lazy_gettext("imported list"),
    Source.API: lazy_gettext("API"),
}
ACTORS: dict[str, Words] = {
    SUBSCRIBER: lazy_gettext("the subscriber"),
    SYSTEM: lazy_gettext("the system"),
}
EVENTS: dict[str, Words] = {
    EventType.OPTED_OUT: lazy_gettext("Opted out"),
    EventType.REPEATED: lazy_gettext("Said stop again"),
    EventType.SERVICE_CANCELLED: lazy_gettext("Service cancelled"),
    EventType.LIFTED: lazy_gettext("Lifted"),
    EventType.SEND_BLOCKED: lazy_gettext("Send blocked"),
    EventType.ERASED: lazy_gettext("Texts erased"),
    EventType.IMPORTED: lazy_gettext("List imported"),
    EventType.EXPORTED: lazy_gettext("Register exported"),
}
DETAILS: dict[str, Words] = {
    "source": lazy_gettext("source"),
    "reason": lazy_gettext("reason"),
    "service": lazy_gettext("service"),
    "since": lazy_gettext("wished since"),
    "file": lazy_gettext("file"),
    "quarantine_id": lazy_gettext("in quarantine"),
}
"""What a history shows of an event's detail; the proof has all of it."""

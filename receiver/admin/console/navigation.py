"""Where the console's pages are found: one line for each, shown to whoever may see it."""

from dataclasses import dataclass

from receiver.access.person import Person
from receiver.access.roles import Permission

from .languages import Words, lazy_gettext


@dataclass(frozen=True, slots=True)
class Entry:
    """A link of the navigation. ``section`` is the blueprint whose pages it stands for."""

    section: str
    endpoint: str
    name: Words
    permission: Permission


ENTRIES = (
    Entry("overview", "console.overview.show", lazy_gettext("Overview"), Permission.SEE),
    Entry("replies", "console.replies.index", lazy_gettext("Replies"), Permission.SEE),
    Entry("optouts", "console.optouts.index", lazy_gettext("Opt-outs"), Permission.SEE),
    Entry("services", "console.services.index", lazy_gettext("Services"), Permission.SEE),
    Entry("quarantine", "console.quarantine.index", lazy_gettext("Quarantine"), Permission.SEE),
    Entry("sends", "console.sends.index", lazy_gettext("Sends"), Permission.SEE),
    Entry("gateway", "console.gateway.show", lazy_gettext("Gateway"), Permission.SEE),
    Entry("people", "console.people.index", lazy_gettext("People"), Permission.PEOPLE),
    Entry("keys", "console.keys.index", lazy_gettext("API keys"), Permission.KEYS),
    Entry("audit", "console.audit.index", lazy_gettext("Audit"), Permission.AUDIT),
    Entry("health", "console.health.show", lazy_gettext("Health"), Permission.SEE),
)


def entries(person: Person) -> list[Entry]:
    """What this person may go to."""
    return [entry for entry in ENTRIES if person.may(entry.permission)]

"""Which replies a page shows, as its address says: what can't be used is told beside its field."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from flask import abort
from flask_babel import to_utc

from receiver.access.roles import Permission
from receiver.store import messages
from receiver.vocabulary import Kind, Origin
from receiver.vocabulary.identity import mask_phones, phones_in

from ...parts import parts
from ..forms import Form
from ..languages import gettext
from ..visitor import person
from .pages import found

NAMES = ("text", "kind", "service", "since", "until", "dst", "origin", "duplicates", "of")
# What somebody may write a phone into. An address would hold it.
_WRITTEN = ("text", "dst")
_LONGEST_TEXT, _LONGEST_NUMBER, _LONGEST_SERVICE = 200, 100, 64
# Days whose neighbours can be reckoned with in every zone.
_FIRST_YEAR, _LAST_YEAR = 1970, 9997


class Duplicates(StrEnum):
    """Whether suspected duplicates are shown."""

    ONLY = "yes"
    NONE = "no"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was asked for: as the database is asked, as it was written, and what is wrong in it."""

    filter: messages.Filter = field(repr=False)
    form: Form = field(repr=False)
    given: Mapping[str, str] = field(repr=False)
    """What was written, as links repeat it."""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Chosen":
        """What an address asks for. It ends with 404 where ``of`` names no message."""
        form = Form(query)
        duplicates = form.choice("duplicates", Duplicates) if form["duplicates"] else None
        given = {name: form[name] for name in NAMES if form[name]}
        for name in _WRITTEN:
            if phones_in(form[name], parts().settings.default_region):
                form.errors[name] = _no_place_for_a_phone()
                del given[name]
        until = _day(form, "until")
        chosen = messages.Filter(
            src=_sender(form["of"]),
            dst=form.line("dst", longest=_LONGEST_NUMBER, needed=False) or None,
            text=form.line("text", longest=_LONGEST_TEXT, needed=False) or None,
            kind=form.choice("kind", Kind) if form["kind"] else None,
            origin=form.choice("origin", Origin) if form["origin"] else None,
            since=_begins(_day(form, "since")),
            until=_begins(until + timedelta(days=1)) if until else None,
            duplicates=None if duplicates is None else duplicates is Duplicates.ONLY,
            service=form.line("service", longest=_LONGEST_SERVICE, needed=False) or None,
        )
        return cls(chosen, form, given)

    def shows(self, row: Any) -> bool:
        """Whether whoever looks may be told that a message was found.

        Who sees phones masked is told of what is found in masked texts: else a search would unveil them digit by digit.
        """
        if self.filter.text is None or person().may(Permission.REVEAL):
            return True
        return messages.matching(messages.Filter(text=self.filter.text))({**row, "text": mask_phones(row["text"])})

    def told(self) -> dict[str, Any]:
        """The filters by the names and in the forms that the API has them, for the audit."""
        names = ("src", "dst", "text", "kind", "origin", "duplicates", "service")
        given = {name: getattr(self.filter, name) for name in names}
        days = {name: self.given.get(name) for name in ("since", "until")}
        return {name: value for name, value in {**given, **days}.items() if value is not None}


def _no_place_for_a_phone() -> str:
    return gettext(
        "No address may hold a phone: write it into “Conversation with a phone”. Texts that mention it are found by "
        "“receiver messages list --text”."
    )


def _sender(message_id: str) -> str | None:
    if not message_id:
        return None
    try:
        sender: str = found(UUID(message_id))["src"]
    except ValueError:
        abort(404)
    return sender


def _day(form: Form, name: str) -> date | None:
    written = form[name].strip()
    if not written:
        return None
    try:
        day = date.fromisoformat(written)
    except ValueError:
        day = None
    if day is None or not _FIRST_YEAR < day.year <= _LAST_YEAR:
        form.errors[name] = gettext("Write a day like 2026-06-03.")
        return None
    return day


def _begins(day: date | None) -> datetime | None:
    """When a day begins where whoever looks lives."""
    if day is None:
        return None
    moment: datetime = to_utc(datetime.combine(day, time()))
    return moment.replace(tzinfo=UTC)

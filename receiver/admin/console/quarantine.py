"""Quarantine: what came in and was no reply, with why; and what is taken in after all."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Response, abort, make_response, render_template, request
from werkzeug.wrappers import Response as Redirection

from receiver.access import Act, Action
from receiver.access.roles import Permission
from receiver.gateway.replaying import doors, reader, replaying
from receiver.intake.replay import Result, Status
from receiver.intake.replayable import waiting
from receiver.store import quarantine
from receiver.vocabulary import Reason, Undeliverable
from receiver.vocabulary.proof import raw_text

from ..parts import parts
from .forms import Form
from .languages import Words, gettext, lazy_gettext
from .notices import done
from .paging import Page, place
from .problems import told
from .revealing import is_revealed, reveals
from .routes import Pages
from .visitor import act

pages = Pages("quarantine")

_ROWS = 50
_LONGEST_PEER = 45
# Deliveries that one press of a button replays; and bytes that are shown.
_AT_ONCE = 100
_MOST_SHOWN = 4_096
REASONS: dict[str, Words] = {
    Reason.MISSING_SRC: lazy_gettext("no phone"),
    Reason.MISSING_DST: lazy_gettext("no service number"),
    Reason.MISSING_MSG: lazy_gettext("no text"),
    Reason.CONFLICT: lazy_gettext("contradicts itself"),
    Reason.UNUSABLE_SRC: lazy_gettext("unusable phone"),
    Reason.UNUSABLE_DST: lazy_gettext("unusable service number"),
    Reason.METHOD: lazy_gettext("wrong method"),
    Reason.CONTENT_TYPE: lazy_gettext("wrong content type"),
    Reason.MALFORMED: lazy_gettext("malformed request"),
    Reason.TOO_LARGE: lazy_gettext("too large"),
    Reason.SOURCE: lazy_gettext("address not allowed"),
    Reason.TOKEN: lazy_gettext("token missing or wrong"),
    Reason.STORAGE: lazy_gettext("refused by the database"),
    Reason.UNREADABLE: lazy_gettext("unreadable answer of the gateway"),
}
_BECAME: dict[str, Words] = {
    Status.REPLAYED: lazy_gettext("taken in"),
    Status.LEFT: lazy_gettext("can't be taken in"),
    Status.ALREADY: lazy_gettext("was taken in before"),
    Status.UNKNOWN: lazy_gettext("is gone"),
}


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The filters of the list, as its address or a form says them; what can't be used is left out."""

    reason: str
    peer: str
    state: str

    @classmethod
    def of(cls, given: Any) -> "_Chosen":
        reason, peer, state = (given.get(name, "").strip() for name in ("reason", "peer", "state"))
        return cls(
            reason if reason in list(Reason) else "",
            peer if peer.isprintable() and len(peer) <= _LONGEST_PEER else "",
            state if state in ("all", "replayed") else "",
        )

    @property
    def filter(self) -> quarantine.Filter:
        replayed = {"": False, "replayed": True}.get(self.state)
        return quarantine.Filter(Reason(self.reason) if self.reason else None, self.peer or None, replayed=replayed)


@pages.get("/quarantine", needs=Permission.SEE)
def index() -> str:
    chosen = _Chosen.of(request.args)
    older, newer = place(request.args, UUID)
    with parts().store.reading() as transaction:
        found = quarantine.page(transaction, chosen.filter, after=older, newer_than=newer, limit=_ROWS + 1)
    page = Page.of(found, _ROWS, older=older, newer=newer, key=lambda row: row["id"])
    return render_template(
        "console/quarantine/index.html",
        page=page,
        chosen=chosen,
        reasons=REASONS,
        told=told,
        is_whole=reveals(Action.QUARANTINE_READ),
    )


@pages.get("/quarantine/<uuid:delivery>", needs=Permission.SEE)
def show(delivery: UUID) -> str:
    return _page(delivery, None)


@pages.post("/quarantine/<uuid:delivery>/replay", needs=Permission.REPLAY)
def replay(delivery: UUID) -> Response | Redirection:
    result = replaying(parts().store, parts().settings).one(delivery, note=_noted(delivery))
    if result.status is Status.UNKNOWN:
        abort(404)
    if result.status is Status.LEFT:
        return make_response(_page(delivery, _why_left(result)), 422)
    return done("replayed", "console.quarantine.show", delivery=delivery)


@pages.post("/quarantine/replay", needs=Permission.REPLAY)
def replay_many() -> Response:
    """A part of all that wait: a further form goes on behind it."""
    form = Form(request.form)
    chosen = _Chosen.of(request.form)
    try:
        newer_than = UUID(form["newer_than"]) if form["newer_than"] else None
    except ValueError:
        abort(400)
    store, settings = parts().store, parts().settings
    part = waiting(store, chosen.filter, doors(settings), newer_than=newer_than, limit=_AT_ONCE)
    again = replaying(store, settings)
    results = [again.one(each, note=_noted(each)) for each in part.wanted]
    return make_response(
        render_template(
            "console/quarantine/replayed.html",
            results=results,
            part=part,
            chosen=chosen,
            became=_BECAME,
            why=_why_left,
        )
    )


def _page(delivery: UUID, left: str | None) -> str:
    with parts().store.reading() as transaction:
        kept = quarantine.get(transaction, delivery)
    if kept is None:
        abort(404)
    is_whole = is_revealed(Action.QUARANTINE_READ, str(delivery))
    raw: bytes = kept["raw"]
    read = reader(parts().settings)(dict(kept)) if is_whole and kept["replayed_at"] is None else None
    return render_template(
        "console/quarantine/show.html",
        kept=kept,
        left=left,
        reasons=REASONS,
        told=told,
        is_whole=is_whole,
        wire=raw_text(raw[:_MOST_SHOWN]),
        dump=_dump(raw[:_MOST_SHOWN]),
        is_cut=len(raw) > _MOST_SHOWN,
        reply=None if isinstance(read, Undeliverable) else read,
        unread=read if isinstance(read, Undeliverable) else None,
    )


def _dump(raw: bytes) -> str:
    """Bytes sixteen to a line, each with its place."""
    lines = (raw[start : start + 16] for start in range(0, len(raw), 16))
    return "\n".join(f"{number * 16:04x}  {line.hex(' ')}" for number, line in enumerate(lines))


def _why_left(result: Result) -> str:
    """Why a delivery was not taken in."""
    reason, _, detail = (result.detail or "").partition(": ")
    if reason in list(Reason):
        return gettext("%(reason)s: %(detail)s", reason=str(REASONS[reason]), detail=told(detail))
    return told(result.detail or "")


def _noted(delivery: UUID) -> Act:
    return act(Action.QUARANTINE_REPLAYED, str(delivery))

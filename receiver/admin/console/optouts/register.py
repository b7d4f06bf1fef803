"""The register as a list: searched by a phone in any form, and added to."""

from typing import Any

from flask import Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Redirection

from receiver.access import Action
from receiver.access.roles import Permission
from receiver.optout.register import LONGEST_REASON, NotAPhone
from receiver.store import ledger, optouts
from receiver.store.sends import Transaction
from receiver.vocabulary.register import Source
from receiver.worker.health import pushed

from ...parts import parts
from ..forms import Form
from ..languages import gettext
from ..lookups import may_look, note_lookup
from ..notices import done
from ..paging import Page, place
from ..revealing import reveals
from ..visitor import act, person
from . import words
from .pages import event_at, event_number, pages

_ROWS = 50
_LONGEST_PHONE = 100


@pages.get("/optouts", needs=Permission.SEE)
def index() -> str:
    return _list(Form({}))


@pages.post("/optouts/search", needs=Permission.SEE)
def search() -> Response | Redirection:
    form = Form(request.form)
    written = _phone(form)
    if not written:
        return make_response(_list(form), 422)
    if not may_look(form):
        return make_response(_list(form), 429)
    spool = pushed(parts().settings)  # before the register is asked: what is stored in between is seen there
    known = parts().register.history(written)
    note_lookup(written, "optouts", known=bool(known.events))
    if known.events:
        return redirect(url_for("console.optouts.show", event=known.events[-1]["sequence"]), 303)
    if not _identity(form):
        return make_response(_list(form), 422)
    return make_response(
        render_template("console/optouts/unknown.html", form=form, longest=LONGEST_REASON, spool=spool)
    )


@pages.get("/optouts/add", needs=Permission.OPT_OUT)
def add() -> str:
    return _adding(Form({}))


@pages.post("/optouts/add", needs=Permission.OPT_OUT)
def opt_out() -> Response | Redirection:
    form = Form(request.form)
    phone, reason = _identity(form), form.line("reason", longest=LONGEST_REASON)
    if form.errors:
        return make_response(_adding(form), 422)
    noted = act(Action.OPTOUT_ADDED, phone)
    added = parts().register.add([phone], source=Source.MANUAL, reason=reason, actor=person().name, note=noted)
    event = parts().register.history(phone).events[-1]["sequence"]
    return done("opted-out" if added.new else "opted-out-before", "console.optouts.show", event=event)


def _list(form: Form) -> str:
    source = request.args.get("source", "")
    chosen = optouts.Filter(source=Source(source) if source in list(Source) else None)
    older, newer = place(request.args, event_number)
    with parts().store.reading() as transaction:
        before, behind = _key(transaction, older), _key(transaction, newer)
        found = optouts.newest(transaction, chosen, older_than=before, newer_than=behind, limit=_ROWS + 1)
        events = ledger.in_force_since(transaction, [row["phone"] for row in found])
    rows: list[dict[str, Any]] = [{**row, "event": events.get(row["phone"])} for row in found]
    # Its own event stands for a row's phone, which no address holds.
    page = Page.of(rows, _ROWS, older=before, newer=behind, key=lambda row: row["event"] or 0)
    return render_template(
        "console/optouts/index.html",
        form=form,
        page=page,
        chosen=chosen,
        is_whole=reveals(Action.OPTOUTS_READ),
        says=words,
    )


def _key(transaction: Transaction, event: int | None) -> optouts.Key | None:
    found = None if event is None else event_at(transaction, event)
    return None if found is None else (found["at"], found["phone"])


def _adding(form: Form) -> str:
    return render_template("console/optouts/add.html", form=form, longest=LONGEST_REASON)


def _phone(form: Form) -> str:
    """A phone as somebody wrote or pasted it, with whatever can't be seen among it; empty where it can't be used."""
    written = form["phone"].strip()
    if not written:
        form.errors["phone"] = gettext("Write something here.")
    elif len(written) > _LONGEST_PHONE:
        form.errors["phone"] = _no_phone()
    return "" if form.errors.get("phone") else written


def _identity(form: Form) -> str:
    """The E.164 form of the phone that a form brings; empty where it is none."""
    written = _phone(form)
    try:
        return parts().register.identity(written) if written else ""
    except NotAPhone:
        form.errors["phone"] = _no_phone()
        return ""


def _no_phone() -> str:
    return gettext("This is no phone number: write it like 13912345678 or +8613912345678.")

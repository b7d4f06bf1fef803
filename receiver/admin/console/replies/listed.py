"""The list of replies: found as it is typed, page by page, and as a file."""

from dataclasses import replace
from enum import StrEnum
from typing import Any
from uuid import UUID

from flask import Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Redirection

from receiver.access import Action
from receiver.access.roles import Permission
from receiver.store import feed, messages, services

from ...api.exports import exported, told
from ...api.values import sender
from ...parts import parts
from ..exports import asked_progress
from ..forms import Form
from ..gate import HTMX
from ..languages import gettext
from ..lookups import may_look, note_lookup
from ..paging import Page, place
from ..revealing import reveals
from ..visitor import act
from .filters import Chosen
from .pages import pages

_ROWS = 50
# Services that may be chosen from; with more, their codes are written.
_MOST_SERVICES = 200
_LONGEST_PHONE = 100


class ExportForm(StrEnum):
    CSV = "csv"
    XLSX = "xlsx"
    JSONL = "jsonl"


@pages.get("/replies", needs=Permission.SEE)
def index() -> Response:
    chosen = Chosen.of(request.args)
    response = make_response(_list(chosen, Form({})), 422 if chosen.form.errors else 200)
    if request.headers.get(HTMX):
        # What was typed is in the address, without the fields that are empty.
        kept: dict[str, Any] = {**chosen.given, "reveal": request.args.get("reveal")}
        response.headers["HX-Replace-Url"] = url_for(".index", **kept)
    return response


@pages.post("/replies/find", needs=Permission.SEE)
def find() -> Response | Redirection:
    """Lead to a subscriber's conversation. By a form, so that no address holds the phone."""
    form = Form(request.form)
    phone = form.line("phone", longest=_LONGEST_PHONE)
    if phone and not may_look(form):
        return make_response(_list(Chosen.of({}), form), 429)
    if phone:
        with parts().store.reading() as transaction:
            newest = messages.page(transaction, messages.Filter(src=sender(phone)), limit=1)
        note_lookup(phone, "replies", known=bool(newest))
        if newest:
            return redirect(url_for(".conversation", message_id=newest[0]["id"]), 303)
        form.errors["phone"] = gettext("No reply came from this phone.")
    return make_response(_list(Chosen.of({}), form), 422)


@pages.post("/replies/export", needs=Permission.EXPORT)
def export() -> Response:
    """What is looked at, whole, as a file. Its filters are in the address, as the list has them."""
    chosen = Chosen.of(request.args)
    form = Form(request.form).choice("format", ExportForm)
    if form is None or chosen.form.errors:
        return make_response(_list(chosen, Form({})), 422)
    note = act(Action.MESSAGES_EXPORTED, None, **told(form.value, chosen.told()))
    return exported(chosen.filter, form.value, note, asked_progress())


def _list(chosen: Chosen, finding: Form) -> str:
    older, newer = place(request.args, UUID)
    is_whole = reveals(Action.MESSAGES_READ)
    with parts().store.snapshot() as transaction:
        # Before the rows: whatever comes in after this is told as it comes in.
        end = feed.end(transaction)
        rows = (
            []
            if chosen.form.errors
            else messages.page(transaction, chosen.filter, older_than=older, newer_than=newer, limit=_ROWS + 1)
        )
        known = services.page(transaction, limit=_MOST_SERVICES)
    page = Page.of(rows, _ROWS, older=older, newer=newer, key=lambda row: row["id"])
    return render_template(
        "console/replies/index.html",
        page=replace(page, rows=[row for row in page.rows if chosen.shows(row)]),
        chosen=chosen,
        finding=finding,
        is_whole=is_whole,
        live_from=end if older is None and newer is None and not chosen.form.errors else None,
        services=known,
    )

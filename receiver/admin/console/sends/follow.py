"""What became of sends: their list, one with each recipient, what is in doubt settled, what is queued cancelled."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Response, abort, make_response, render_template, request
from werkzeug.wrappers import Response as Redirection

from receiver.access import Action
from receiver.access.roles import Permission
from receiver.gateway import meaning_of
from receiver.gateway.sending import Found, Inadmissible, NoSuchSend, cancel, expire, settle
from receiver.gateway.sending.enqueue import HELD_UNTIL
from receiver.gateway.sending.rules import now
from receiver.optout.register import LONGEST_REASON
from receiver.store import sends, tasks
from receiver.store.sends import State
from receiver.worker.roster import SEND, task_names
from receiver.worker.status import State as TaskState
from receiver.worker.status import status

from ...parts import parts
from ..forms import Form
from ..languages import gettext
from ..notices import done
from ..paging import Page, place
from ..times import begin_of, day_of, end_of
from ..visitor import act, person
from . import wording
from .compose import is_set_up
from .pages import pages

_ROWS, _PEOPLE = 25, 100
_MOST_DIGITS = 9
_LONGEST_PHONE = 100
_SOON = timedelta(minutes=10)


@pages.get("/sends", needs=Permission.SEE)
def index() -> str:
    form = Form(request.args)
    since, until = day_of(form, "since"), day_of(form, "until")
    chosen = sends.Filter(
        None if since is None else begin_of(since),
        None if until is None else end_of(until),
        bool(form["in_doubt"]),
    )
    older, newer = place(request.args, UUID)
    store = parts().store
    expire(store)
    with store.reading() as transaction:
        found = sends.page(transaction, chosen, after=older, newer_than=newer, limit=_ROWS + 1)
        page = Page.of(found, _ROWS, older=older, newer=newer, key=lambda row: row["id"])
        counts = sends.counts(transaction, [row["id"] for row in page.rows])
    is_filtered = chosen != sends.Filter()
    return render_template(
        "console/sends/index.html",
        form=form,
        page=page,
        counts=counts,
        is_filtered=is_filtered,
        is_set_up=is_set_up(),
        wording=wording,
        states=list(State),
    )


@pages.get("/sends/<uuid:send_id>", needs=Permission.SEE)
def show(send_id: UUID) -> str:
    return _one(send_id, Form({}))


@pages.post("/sends/<uuid:send_id>/settle", needs=Permission.SEND)
def settle_doubt(send_id: UUID) -> Response | Redirection:
    form = Form(request.form)
    found, reason = form.choice("found", Found), form.line("reason", longest=LONGEST_REASON)
    phones = form.line("only", longest=_LONGEST_PHONE, needed=False)
    if found is not None and not form.errors:
        store = parts().store
        expire(store)
        try:
            people = settle(
                store,
                send_id,
                found,
                phones=[phones] if phones else None,
                region=parts().settings.default_region,
                actor=person().name,
                reason=reason,
                noted=lambda count: act(Action.SEND_SETTLED, str(send_id), found=found, people=count),
            )
        except NoSuchSend:
            abort(404)
        except Inadmissible:
            form.errors["only"] = gettext("This is no phone number: write it like 13900000001.")
        else:
            if people:
                return done("send-settled", "console.sends.show", send_id=send_id)
            form.errors["only" if phones else "found"] = gettext("Nobody of them is in doubt any more.")
    return make_response(_one(send_id, form), 422)


@pages.post("/sends/<uuid:send_id>/cancel", needs=Permission.SEND)
def cancel_queued(send_id: UUID) -> Response | Redirection:
    form = Form(request.form)
    reason = form.line("why", longest=LONGEST_REASON)
    if not form.errors:
        try:
            people = cancel(
                parts().store,
                send_id,
                actor=person().name,
                reason=reason,
                noted=lambda count: act(Action.SEND_CANCELLED, str(send_id), people=count),
            )
        except NoSuchSend:
            abort(404)
        if people:
            return done("send-cancelled", "console.sends.show", send_id=send_id)
        form.errors["why"] = gettext("Nothing of it is queued any more.")
    return make_response(_one(send_id, form), 422)


def _one(send_id: UUID, form: Form) -> str:
    store, query = parts().store, request.args
    state = query.get("state") if query.get("state") in list(State) else None
    reveals = "reveal" in query and person().may(Permission.REVEAL)
    older, newer = place(query, _place)
    expire(store)
    with store.reading() as transaction:
        found = sends.get(transaction, send_id)
        if found is None:
            abort(404)
        counts = sends.counts(transaction, [send_id])[send_id]
        people = sends.recipients(
            transaction,
            send_id,
            state=None if state is None else State(state),
            after=None if older is None else sends.phone_at(transaction, send_id, older),
            before=None if newer is None else sends.phone_at(transaction, send_id, newer),
            limit=_PEOPLE + 1,
        )
        # A phone may not stand in an address: its place in the list does.
        page = Page.of(
            people,
            _PEOPLE,
            older=older,
            newer=newer,
            key=lambda row: sends.place_of(transaction, send_id, row["phone"]),
        )
        standing = tasks.standing(transaction, SEND)
    if reveals:
        act(Action.SENDS_READ, str(send_id)).reveal(store)
    return render_template(
        "console/sends/show.html",
        send=found,
        form=form,
        counts=counts,
        total=sum(counts.values()),
        page=page,
        state=state,
        states=list(State),
        reveals=reveals,
        hindered=_hindered(standing) if counts.get(State.QUEUED) else None,
        is_under_way=_is_under_way(found, counts),
        meaning_of=meaning_of,
        wording=wording,
        found_words=list(Found),
    )


def _is_under_way(send: Mapping[Any, Any], counts: Mapping[str, int]) -> bool:
    """Whether somebody's state may change any moment: a page that is open looks again then, and not for days."""
    is_due = not send["is_held"] or send["at"] - now() < HELD_UNTIL + _SOON
    return State.SENDING in counts or (State.QUEUED in counts and is_due)


def _hindered(standing: tasks.Standing | None) -> Mapping[str, Any] | None:
    """Why what is queued does not get on: the worker's task, None where it goes well."""
    if standing is None:
        return {"state": None, "error": None, "next_run": None}
    told = status(standing, task_names(parts().settings))
    return told if told["state"] in (TaskState.STUCK, TaskState.FAILING, TaskState.OFF) else None


def _place(written: str) -> int:
    if not (written.isascii() and written.isdigit()) or len(written) > _MOST_DIGITS:
        raise ValueError
    return int(written)

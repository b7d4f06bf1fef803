"""A text to many phones: written, looked at as the guard and the gateway would see it, and only then stored.

The preview names the send that it may become. Whatever happens to the answer, the same form again is that send.
"""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

from flask import Response, make_response, render_template, request
from werkzeug.wrappers import Response as Redirection

from receiver.access import Action
from receiver.access.roles import Permission
from receiver.gateway import ContentVerdict, GatewayError, meaning_of
from receiver.gateway.client.request import length
from receiver.gateway.sending import Inadmissible, Plan, Rule, Sending, SendRequest, Unknown
from receiver.gateway.sending.listed import BadList, listed
from receiver.gateway.sending.rules import LONG, SHORT, SHORT_PHS
from receiver.gateway.sending.rules import parts as sms_of
from receiver.gateway.settings import gateway_of
from receiver.store import sends
from receiver.vocabulary import earliest_id, new_id

from ...parts import parts
from ..forms import Form
from ..notices import done
from ..times import moment_of, zone
from ..visitor import act, person
from . import wording
from .pages import pages

# A form that is sent later than this is shown again: people said stop meanwhile, and it would be listed by its age.
_PREVIEW_LASTS, _CLOCKS_DIFFER = timedelta(hours=12), timedelta(minutes=5)
# Seconds for which somebody waits for the gateway before a page.
_PATIENCE = 8.0
_BETWEEN_PHONES = re.compile(r"[\n,;\t，；、]+")
_LEFT_OUT_SHOWN = 100
_FIELDS = ("text", "phones", "at", "keeper", "sender", "long")


@pages.get("/sends/new", needs=Permission.SEND)
def compose() -> str:
    return _page(Form({"check": "on"}))


@pages.post("/sends/new/edit", needs=Permission.SEND)
def edit() -> str:
    """The form again, with what is in the preview."""
    return _page(Form(request.form))


@pages.post("/sends/new/preview", needs=Permission.SEND)
def preview() -> str | Response:
    form = _with_uploaded(Form(request.form))
    wanted = _read(form)
    plan = None if form.errors else _planned(form, wanted)
    return make_response(_page(form), 422) if plan is None else _preview(form, plan)


@pages.post("/sends/new", needs=Permission.SEND)
def send() -> str | Response | Redirection:
    form = Form(request.form)
    send_id, wanted = _send_id(form["send_id"]), _read(form)
    plan = None if form.errors else _planned(form, wanted, send_id)
    if plan is None:
        return make_response(_page(form), 422)
    if send_id is None:
        return make_response(_preview(form, plan, is_old=True), 422)
    try:
        made = _sending().enqueue(
            wanted,
            person().name,
            send_id=send_id,
            noted=lambda made: act(Action.SEND_QUEUED, str(made.send_id), recipients=len(made.plan.allowed)),
        )
    except Inadmissible as wrong:
        _tell(form, wrong)
        return make_response(_page(form), 422)
    except Unknown:
        kept = {name: form[name] for name in _FIELDS}
        return make_response(render_template("console/sends/unknown.html", kept=kept, send_id=send_id), 503)
    return done("send-stored", "console.sends.show", send_id=made.send_id)


def is_set_up() -> bool:
    """Whether there is a gateway to send through."""
    settings = parts().settings
    return bool(settings.gateway_name and settings.gateway_password)


def _page(form: Form) -> str:
    text = _lines(form["text"])
    is_long = bool(form["long"])
    return render_template(
        "console/sends/compose.html",
        form=form,
        is_set_up=is_set_up(),
        zone=zone(),
        limits={"short": SHORT, "phs": SHORT_PHS, "long": LONG},
        count=length(text),
        most=LONG if is_long else SHORT,
        sms=sms_of(length(text)),
    )


def _preview(form: Form, plan: Plan, *, is_old: bool = False) -> str:
    kept = {name: form[name] for name in _FIELDS}
    # Each form in which somebody was given is asked about again when it is sent; what is no phone is left out.
    kept["phones"] = "\n".join(plan.recipients.forms)
    return render_template(
        "console/sends/preview.html",
        plan=plan,
        kept=kept,
        send_id=new_id(),
        text=_lines(form["text"]),
        is_held=form["keeper"] != "gateway",
        is_old=is_old,
        verdict=_verdict(_lines(form["text"])) if form["check"] else None,
        wording=wording,
        meaning_of=meaning_of,
        zone=zone(),
        shown=_LEFT_OUT_SHOWN,
    )


def _with_uploaded(form: Form) -> Form:
    """The form with the phones of an uploaded list beneath those that were written."""
    uploaded = request.files.get("list")
    if uploaded is None or not uploaded.filename:
        return form
    try:
        found = listed(uploaded.read(), uploaded.filename)
    except BadList as wrong:
        form.errors["list"] = wording.unreadable(wrong)
        return form
    # A cell may hold what parts phones in the form.
    cells = [" ".join(_BETWEEN_PHONES.sub(" ", phone).split()) for _, phone in found]
    return Form({**request.form, "phones": "\n".join(filter(None, [form["phones"].strip(), *cells]))})


def _read(form: Form) -> SendRequest:
    """What the form asks for; what can't be used is told in it."""
    at = moment_of(form, "at") if form["at"].strip() else None
    return SendRequest(
        [phone for each in _BETWEEN_PHONES.split(_lines(form["phones"])) if (phone := each.strip())],
        _lines(form["text"]),
        at,
        hold=at is not None and form["keeper"] != "gateway",
        sender=form["sender"].strip() or None,
        long=bool(form["long"]),
        skip_invalid=True,
    )


def _planned(form: Form, wanted: SendRequest, send_id: UUID | None = None) -> Plan | None:
    """What it comes to; None where it can't be sent so, which is told in the form. Raises StoreError."""
    if not is_set_up():
        return None
    try:
        return _sending().plan(wanted, send_id=send_id)
    except Inadmissible as wrong:
        _tell(form, wrong)
        return None


def _tell(form: Form, wrong: Inadmissible) -> None:
    field, said = wording.refused(wrong)
    if wrong.rule is Rule.TEXT_LENGTH and form["long"]:
        field = "text"
    form.errors[field] = said


def _sending() -> Sending:
    settings = parts().settings
    return Sending(parts().store, settings.default_region, charset=settings.gateway_charset)


def _send_id(written: str) -> UUID | None:
    """The id that a preview made, or that is a send's already; None for any other. Raises StoreError."""
    try:
        send_id = UUID(written)
    except ValueError:
        return None
    now = datetime.now(UTC)
    if earliest_id(now - _PREVIEW_LASTS) <= send_id <= earliest_id(now + _CLOCKS_DIFFER) and send_id.version == 7:
        return send_id
    with parts().store.reading() as transaction:
        return None if sends.get(transaction, send_id) is None else send_id


def _verdict(text: str) -> ContentVerdict | str:
    """What the gateway says of the text, or why it can't be asked."""
    settings = parts().settings
    try:
        return gateway_of(settings, timeout=min(_PATIENCE, settings.gateway_timeout)).check_content(text)
    except GatewayError as failure:
        return wording.failed(failure)


def _lines(written: str) -> str:
    """As it was written: browsers send each line end as two characters, which the gateway would count."""
    return written.replace("\r\n", "\n").replace("\r", "\n")

"""Somebody's own account: password, second factor, time zone, and where they are logged in."""

import re
from uuid import UUID
from zoneinfo import available_timezones

import segno
from flask import Response, abort, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Redirection

from receiver.access import Action
from receiver.access.errors import AccessError, LoginRefused
from receiver.access.passwords import SHORTEST, WeakPassword
from receiver.access.second_factor import RECOVERY_CODES, address, new_secret

from ..parts import parts
from . import once, words
from .forms import Form
from .languages import gettext
from .notices import done
from .routes import Pages, Who
from .visitor import act, logged_in, person

pages = Pages("account")

_HERE = "console.account.show"
_SECRET = re.compile(r"[A-Z2-7]{32}")
_LONGEST_CODE, _LONGEST_ZONE = 60, 64
# Between codes, in a cookie.
_APART = "."
# In the database beside the zones, and none that a page could be told in.
_NO_PLACES = frozenset(["Factory", "localtime"])
# Offered first; every other name of the time zone database is taken too.
ZONES = ("Asia/Shanghai", "Asia/Hong_Kong", "Asia/Taipei", "Asia/Singapore", "Asia/Tokyo", "Europe/Berlin", "UTC")


@pages.get("/account", needs=Who.MEMBER)
def show() -> str:
    return _page(Form({}))


@pages.post("/account/password", needs=Who.MEMBER)
def change_password() -> Response | Redirection:
    form, held = Form(request.form), logged_in()
    old, new = form.secret("old"), form.secret("password")
    if new and form["again"] != new:
        form.errors["again"] = words.different()
    if not form.errors:
        try:
            parts().people.change_password(
                held.person,
                old,
                new,
                keep_session=held.id,
                act=act(Action.OWN_PASSWORD_CHANGED, held.person.name),
            )
            return done("password-changed", _HERE)
        except WeakPassword as weak:
            form.errors["password"] = words.weakness(weak)
        except AccessError as refused:
            return _refused(form, "old", refused)
    return make_response(_page(form), 422)


@pages.post("/account/zone", needs=Who.MEMBER)
def change_zone() -> Response | Redirection:
    form = Form(request.form)
    zone = form.line("zone", longest=_LONGEST_ZONE)
    if zone and (zone in _NO_PLACES or zone not in available_timezones()):
        form.errors["zone"] = gettext("Write a zone of the time zone database, like Asia/Shanghai.")
    if form.errors:
        return make_response(_page(form), 422)
    parts().people.change(person(), zone=zone)
    return done("saved", _HERE)


@pages.get("/account/second-factor", needs=Who.MEMBER)
def second_factor() -> str | Redirection:
    if person().has_totp:
        return redirect(url_for(_HERE), 303)
    return _second_factor(Form({}), new_secret())


@pages.post("/account/second-factor", needs=Who.MEMBER)
def enable_second_factor() -> Response | Redirection:
    form = Form(request.form)
    secret, code = form["secret"], form.line("code", longest=_LONGEST_CODE)
    if not _SECRET.fullmatch(secret):
        abort(400)
    if not form.errors:
        try:
            enabled = act(Action.SECOND_FACTOR_ENABLED, person().name)
            codes = parts().people.second_factor.enable(person(), secret, code, act=enabled)
            return once.lead(_APART.join(codes), ".recovery_codes")
        except AccessError as refused:
            form.errors["code"] = words.refusal(refused)
    return make_response(_second_factor(form, secret), 422)


@pages.post("/account/second-factor/off", needs=Who.MEMBER)
def disable_second_factor() -> Response | Redirection:
    form = Form(request.form)
    present = form.secret("present")
    if not form.errors:
        try:
            disabled = act(Action.SECOND_FACTOR_DISABLED, person().name)
            parts().people.second_factor.disable(person(), present, act=disabled)
            return done("second-factor-disabled", _HERE)
        except AccessError as refused:
            return _refused(form, "present", refused)
    return make_response(_page(form), 422)


@pages.post("/account/second-factor/codes", needs=Who.MEMBER)
def renew_recovery_codes() -> Response | Redirection:
    form = Form(request.form)
    code = form.line("code", longest=_LONGEST_CODE)
    if not form.errors:
        try:
            renewed = act(Action.RECOVERY_CODES_RENEWED, person().name)
            codes = parts().people.second_factor.renew(person(), code, act=renewed)
            return once.lead(_APART.join(codes), ".recovery_codes")
        except AccessError as refused:
            return _refused(form, "code", refused)
    return make_response(_page(form), 422)


@pages.get("/account/second-factor/codes", needs=Who.MEMBER)
def recovery_codes() -> Response | Redirection:
    """The codes to recover with, this once."""
    codes = once.secret().split(_APART)
    if not parts().people.second_factor.are_codes_of(person(), codes):
        return done("recovery-codes-shown", _HERE)
    return once.shown(render_template("console/recovery_codes.html", codes=codes))


@pages.post("/account/sessions/<uuid:session_id>/end", needs=Who.MEMBER)
def end_session(session_id: UUID) -> Redirection:
    act(Action.SESSIONS_ENDED, person().name, session=str(session_id)).record(parts().store)
    parts().sessions.end(person(), session_id)
    return done("session-ended", _HERE)


@pages.post("/account/sessions/end", needs=Who.MEMBER)
def end_other_sessions() -> Redirection:
    held = logged_in()
    act(Action.SESSIONS_ENDED, held.person.name).record(parts().store)
    parts().sessions.end(held.person, but=held.id)
    return done("sessions-ended", _HERE)


def _page(form: Form) -> str:
    held = logged_in()
    sessions = parts().sessions.of_person(held.person)
    return render_template(
        "console/account.html",
        form=form,
        held=held,
        sessions=sessions,
        zones=ZONES,
        shortest=SHORTEST,
        codes_left=parts().people.second_factor.left(held.person) if held.person.has_totp else None,
        codes_of=RECOVERY_CODES,
    )


def _refused(form: Form, field: str, why: AccessError) -> Response:
    form.errors[field] = words.refusal(why)
    return make_response(_page(form), 429 if isinstance(why, LoginRefused) else 422)


def _second_factor(form: Form, secret: str) -> str:
    code = segno.make(address(person(), secret), error="m")
    # Paths with attributes of their own, and no style: the policy of the pages forbids that.
    image = code.svg_inline(scale=4, border=3, dark="#000", light="#fff", omitsize=True)
    return render_template("console/second_factor.html", form=form, secret=secret, image=image)

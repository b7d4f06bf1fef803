"""How somebody comes in and goes: login, logout, and the link that sets a password."""

import logging

from flask import Response, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as Redirection

from receiver.access import Act, Action
from receiver.access.audit import Via
from receiver.access.errors import AccessError, LoginRefused
from receiver.access.passwords import SHORTEST, WeakPassword
from receiver.access.person import Person
from receiver.access.sessions import LASTS_FOR

from ..parts import parts
from ..peer import peer
from . import cookies, words
from .forms import Form
from .notices import done, local
from .routes import Pages, Who
from .visitor import act, logged_in, session

_log = logging.getLogger(__name__)

pages = Pages("login")

_LONGEST_CODE = 60
# The field that a refusal is told beside.
_FIELDS = {"code-needed": "code", "wrong-code": "code"}


@pages.get("/login", needs=Who.ANYBODY)
def form() -> str | Redirection:
    if session() is not None:
        return redirect(local(request.args.get("next", "/")), 303)
    return _login_form(Form({}))


@pages.post("/login", needs=Who.ANYBODY)
def log_in() -> str | Response | Redirection:
    form = Form(request.form)
    name, password = form.line("name", longest=100), form.secret("password")
    code = form.line("code", longest=_LONGEST_CODE, needed=False)
    if form.errors:
        return make_response(_login_form(form), 422)
    try:
        person = parts().people.log_in(name, password, code or None, peer(), recovered=_recovered)
    except LoginRefused as refused:
        # Not by whom: people write their password where the name belongs.
        _log.warning("a login from %s was refused: %s", peer(), refused.code)
        form.errors[_FIELDS.get(refused.code, "password")] = words.refusal(refused)
        return make_response(_login_form(form), 429 if refused.wait is not None else 422)
    return _let_in(person, Action.LOGGED_IN, local(form["next"]))


@pages.post("/logout", needs=Who.MEMBER)
def log_out() -> Redirection:
    held = logged_in()
    act(Action.LOGGED_OUT).record(parts().store)
    parts().sessions.end(held.person, held.id)
    response = done("logged-out", "console.login.form")
    cookies.drop(response, cookies.SESSION)
    return response


@pages.get("/welcome/<token>", needs=Who.ANYBODY)
def welcome(token: str) -> str | Response:
    try:
        return _welcome_form(parts().people.invited(token).person, Form({}))
    except AccessError as refused:
        return _no_link(refused)


@pages.post("/welcome/<token>", needs=Who.ANYBODY)
def accept(token: str) -> str | Response | Redirection:
    form = Form(request.form)
    try:
        invited = parts().people.invited(token).person
        password = form.secret("password")
        if password and form["again"] != password:
            form.errors["again"] = words.different()
        return _accepted(token, password, invited, form)
    except AccessError as refused:
        return _no_link(refused)


def _accepted(token: str, password: str, invited: Person, form: Form) -> Response | Redirection:
    if not form.errors:
        try:
            return _let_in(parts().people.accept(token, password), Action.PERSON_JOINED, "/")
        except WeakPassword as weak:
            form.errors["password"] = words.weakness(weak)
    return make_response(_welcome_form(invited, form), 422)


def _let_in(person: Person, how: Action, target: str) -> Redirection:
    Act(how, person.name, Via.CONSOLE, person.name, peer=peer()).record(parts().store)
    token = parts().sessions.begin(person, peer=peer(), agent=request.user_agent.string)
    response = redirect(target, 303)
    cookies.put(response, cookies.SESSION, token, LASTS_FOR)
    # What was chosen on another device counts here too.
    for name, liked in ((cookies.LOCALE, person.locale), (cookies.THEME, person.theme)):
        if liked:
            cookies.put(response, name, liked, cookies.LIKED_FOR)
    return response


def _recovered(person: Person, left: int) -> Act:
    return Act(Action.RECOVERY_CODE_USED, person.name, Via.CONSOLE, person.name, {"left": left}, peer=peer())


def _login_form(form: Form) -> str:
    target = local(form["next"] or request.args.get("next", "/"))
    return render_template("console/login.html", form=form, target=target, is_new=not parts().people.exist())


def _welcome_form(person: Person, form: Form) -> str:
    return render_template("console/welcome.html", person=person, form=form, shortest=SHORTEST)


def _no_link(refused: AccessError) -> Response:
    return make_response(render_template("console/no_link.html", why=words.refusal(refused)), 404)

"""Who may use the console: accounts, their roles, and the links that begin them."""

from datetime import UTC, datetime
from uuid import UUID

from flask import Response, abort, make_response, render_template, request, url_for
from werkzeug.wrappers import Response as Redirection

from receiver.access import Action
from receiver.access.errors import AccessError
from receiver.access.people import LONGEST_NAME, Invitation
from receiver.access.person import Person
from receiver.access.roles import Permission, Role

from ..parts import parts
from . import cookies, once, words
from .forms import Form
from .notices import done
from .routes import Pages
from .visitor import act, person

pages = Pages("people")

_ROWS = 50
_LONGEST_CURSOR = 100


@pages.get("/people", needs=Permission.PEOPLE)
def index() -> str:
    return _list(Form({}))


@pages.post("/people", needs=Permission.PEOPLE)
def invite() -> Response | Redirection:
    form = Form(request.form)
    name, role = form.line("name", longest=LONGEST_NAME), form.choice("role", Role)
    if role is not None and not form.errors:
        try:
            invited = act(Action.PERSON_INVITED, name, role=role)
            return _link(parts().people.invite(name, role, actor=person().name, act=invited))
        except AccessError as refused:
            form.errors["name"] = words.refusal(refused)
    return make_response(_list(form), 422)


@pages.get("/people/<uuid:person_id>", needs=Permission.PEOPLE)
def show(person_id: UUID) -> str:
    return _one(_found(person_id), Form({}))


@pages.post("/people/<uuid:person_id>/link", needs=Permission.PEOPLE)
def invite_again(person_id: UUID) -> Redirection:
    somebody = _found(person_id)
    return _link(parts().people.invite_again(person_id, act=act(Action.PERSON_LINKED, somebody.name)))


@pages.get("/people/<uuid:person_id>/link", needs=Permission.PEOPLE)
def link(person_id: UUID) -> Response | Redirection:
    """The link that was made for somebody, this once."""
    try:
        invitation = parts().people.invited(once.secret())
    except AccessError:
        invitation = None
    if invitation is None or invitation.person.id != person_id:
        return done("link-shown", ".show", person_id=_found(person_id).id)
    # As the browser came, also through a proxy: a link without TLS would send its secret in the open.
    scheme = "https" if cookies.is_https() else "http"
    address = url_for("console.login.welcome", token=invitation.token, _external=True, _scheme=scheme)
    return once.shown(render_template("console/people/link.html", invitation=invitation, address=address))


@pages.post("/people/<uuid:person_id>/role", needs=Permission.PEOPLE)
def change_role(person_id: UUID) -> Response | Redirection:
    somebody, form = _found(person_id), Form(request.form)
    role = form.choice("role", Role)
    if role is not None:
        try:
            changed = act(Action.PERSON_CHANGED, somebody.name, role=role, before=somebody.role)
            parts().people.change(somebody, role=role, act=changed)
            return done("saved", "console.people.show", person_id=person_id)
        except AccessError as refused:
            form.errors["role"] = words.refusal(refused)
    return make_response(_one(somebody, form), 422)


@pages.post("/people/<uuid:person_id>/disable", needs=Permission.PEOPLE)
def disable(person_id: UUID) -> Response | Redirection:
    somebody, form = _found(person_id), Form(request.form)
    try:
        disabled = act(Action.PERSON_DISABLED, somebody.name)
        parts().people.change(somebody, disabled_at=datetime.now(UTC), act=disabled)
    except AccessError as refused:
        form.errors["disable"] = words.refusal(refused)
        return make_response(_one(somebody, form), 422)
    return done("person-disabled", "console.people.show", person_id=person_id)


@pages.post("/people/<uuid:person_id>/enable", needs=Permission.PEOPLE)
def enable(person_id: UUID) -> Redirection:
    somebody = _found(person_id)
    parts().people.change(somebody, disabled_at=None, act=act(Action.PERSON_ENABLED, somebody.name))
    return done("person-enabled", "console.people.show", person_id=person_id)


def _found(person_id: UUID) -> Person:
    try:
        return parts().people.get(person_id)
    except AccessError:
        abort(404)


def _list(form: Form) -> str:
    after = request.args.get("after", "")
    usable = after if after.isprintable() and len(after) <= _LONGEST_CURSOR else ""
    found = parts().people.page(after=usable or None, limit=_ROWS + 1)
    return render_template(
        "console/people/index.html", form=form, people=found[:_ROWS], has_more=len(found) > _ROWS, roles=list(Role)
    )


def _one(somebody: Person, form: Form) -> str:
    return render_template("console/people/show.html", somebody=somebody, form=form, roles=list(Role))


def _link(invitation: Invitation) -> Redirection:
    return once.lead(invitation.token, ".link", person_id=invitation.person.id)

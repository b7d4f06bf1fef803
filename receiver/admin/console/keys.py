"""Keys of the JSON API: made, shown this once, and revoked for good."""

from datetime import UTC, datetime
from uuid import UUID

from flask import Response, abort, make_response, render_template, request
from werkzeug.wrappers import Response as Redirection

from receiver.access import Action, Key, NoSuchKey, Scope
from receiver.access.keys import LONGEST_NAME
from receiver.access.roles import Permission

from ..parts import parts
from . import once
from .forms import Form
from .languages import Words, gettext, lazy_gettext
from .notices import done
from .paging import Page, place
from .routes import Pages
from .times import day_of, end_of
from .visitor import act, person

pages = Pages("keys")

_ROWS = 50
SCOPES: dict[str, Words] = {
    Scope.MESSAGES_READ: lazy_gettext("reads, searches and exports replies, with phones whole"),
    Scope.OPTOUTS_READ: lazy_gettext("asks who is opted out, reads histories, subscriptions and proofs"),
    Scope.OPTOUTS_WRITE: lazy_gettext("adds and lifts opt-outs, adds and cancels subscriptions"),
    Scope.SMS_SEND: lazy_gettext("sends through the guard, and sees what became of sends"),
    Scope.METRICS_READ: lazy_gettext("reads the metrics for monitoring, which name nobody"),
    Scope.ADMIN: lazy_gettext("all of these, and keys, services, quarantine, re-decoding, erasure and the audit"),
}
STATES: dict[str, Words] = {
    "active": lazy_gettext("active"),
    "expired": lazy_gettext("expired"),
    "revoked": lazy_gettext("revoked"),
}


@pages.get("/keys", needs=Permission.KEYS)
def index() -> str:
    return _list(Form({}))


@pages.post("/keys", needs=Permission.KEYS)
def create() -> Response | Redirection:
    form = Form(request.form)
    name, last_day = form.line("name", longest=LONGEST_NAME), day_of(form, "last_day")
    scopes = _chosen()
    if not scopes:
        form.errors["scope"] = gettext("Choose at least one.")
    expires_at = None if last_day is None else end_of(last_day)
    if expires_at is not None and expires_at <= datetime.now(UTC):
        form.errors["last_day"] = gettext("This day is over: choose a later one.")
    if form.errors:
        return make_response(_list(form), 422)
    created = act(Action.KEY_CREATED, name, scopes=sorted(scopes))
    made = parts().keys.create(name, scopes, actor=person().name, expires_at=expires_at, act=created)
    return once.lead(made.token, ".made", key_id=made.key.id)


@pages.get("/keys/<uuid:key_id>/made", needs=Permission.KEYS)
def made(key_id: UUID) -> Response | Redirection:
    """The new key's token, this once."""
    key, token = _found(key_id), once.secret()
    if not parts().keys.opens(key, token):
        return done("key-shown", ".show", key_id=key_id)
    return once.shown(render_template("console/keys/made.html", key=key, token=token))


@pages.get("/keys/<uuid:key_id>", needs=Permission.KEYS)
def show(key_id: UUID) -> str:
    key = _found(key_id)
    return render_template("console/keys/show.html", key=key, state=key.state(datetime.now(UTC)), **_words())


@pages.post("/keys/<uuid:key_id>/revoke", needs=Permission.KEYS)
def revoke(key_id: UUID) -> Redirection:
    _found(key_id)
    parts().keys.revoke(key_id, actor=person().name, act=act(Action.KEY_REVOKED, str(key_id)))
    return done("key-revoked", "console.keys.show", key_id=key_id)


def _chosen() -> list[Scope]:
    given = request.form.getlist("scope")
    return [scope for scope in Scope if scope in given]


def _found(key_id: UUID) -> Key:
    try:
        return parts().keys.get(key_id)
    except NoSuchKey:
        abort(404)


def _list(form: Form) -> str:
    older, newer = place(request.args, UUID)
    found = parts().keys.page(older_than=older, newer_than=newer, limit=_ROWS + 1)
    page = Page.of(found, _ROWS, older=older, newer=newer, key=lambda key: key.id)
    return render_template(
        "console/keys/index.html", form=form, page=page, chosen=_chosen(), now=datetime.now(UTC), **_words()
    )


def _words() -> dict[str, dict[str, Words]]:
    return {"scope_words": SCOPES, "state_words": STATES}

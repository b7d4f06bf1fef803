"""The account at the gateway: its balance, how pulling and sending go, and its password, which is changed unseen."""

from flask import Response, make_response, render_template, request
from werkzeug.wrappers import Response as Redirection

from receiver.access import Action
from receiver.access.roles import Permission
from receiver.gateway import GatewayError, InDoubt, Unsendable
from receiver.gateway.client.request import new_password_field
from receiver.gateway.polling import task_name
from receiver.gateway.settings import gateway_of
from receiver.store import tasks
from receiver.worker.roster import SEND, task_names
from receiver.worker.status import status

from ..parts import parts
from . import words
from .forms import Form
from .languages import gettext
from .notices import done
from .routes import Pages
from .sends import wording
from .visitor import act

pages = Pages("gateway")


@pages.get("/gateway", needs=Permission.SEE)
def show() -> str:
    return _page(Form({}))


@pages.get("/gateway/balance", needs=Permission.SEE)
def balance() -> str:
    """The balance alone, as far as it is known: what a page asks for again while it is open."""
    return render_template("console/gateway/balance.html", balance=parts().balance, wording=wording)


@pages.post("/gateway/password", needs=Permission.GATEWAY)
def change_password() -> Response | Redirection:
    form, held = Form(request.form), parts()
    new = form.secret("password")
    if new and form["again"] != new:
        form.errors["again"] = words.different()
    if new and not form.errors:
        try:
            new_password_field(new)
        except Unsendable:
            form.errors["password"] = gettext("Write 5 to 19 letters, digits or other signs of ASCII, without spaces.")
    if form.errors or held.balance is None:
        return make_response(_page(form), 422)
    account = held.settings.gateway_name
    # Noted before: what can't be noted is not done. Where it is not done after all, that is noted too.
    act(Action.PASSWORD_CHANGED, account).record(held.store)
    try:
        gateway_of(held.settings).change_password(new)
    except GatewayError as failure:
        outcome = "in doubt" if isinstance(failure, InDoubt) else "not changed"
        act(Action.PASSWORD_CHANGED, account, outcome=outcome).record(held.store)
        form.errors["password"] = wording.failed(failure)
        return make_response(_page(form, is_in_doubt=isinstance(failure, InDoubt)), 502)
    return done("gateway-password-changed", "console.gateway.show")


def _page(form: Form, *, is_in_doubt: bool = False) -> str:
    held = parts()
    settings = held.settings
    here = task_names(settings)
    poll = task_name(settings.gateway_name or "")
    with held.store.reading() as transaction:
        known = {each.name: status(each, here) for each in tasks.every_standing(transaction)}
    return render_template(
        "console/gateway/show.html",
        form=form,
        balance=held.balance,
        settings=settings,
        poll=known.get(poll),
        sending=known.get(SEND),
        is_in_doubt=is_in_doubt,
        wording=wording,
    )

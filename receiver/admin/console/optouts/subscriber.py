"""One subscriber of the register: the opt-out in force, its whole history, and its lift."""

from flask import Response, make_response, render_template, request
from werkzeug.wrappers import Response as Redirection

from receiver.access import Action
from receiver.access.roles import Permission
from receiver.optout.register import LONGEST_REASON, NotOptedOut
from receiver.worker.health import pushed

from ...parts import parts
from ..forms import Form
from ..languages import gettext
from ..notices import done
from ..revealing import is_revealed
from ..visitor import act, person
from . import words
from .pages import pages, subscriber


@pages.get("/optouts/<int:event>", needs=Permission.SEE)
def show(event: int) -> str:
    return _page(event, subscriber(event), Form({}))


@pages.post("/optouts/<int:event>/lift", needs=Permission.LIFT)
def lift(event: int) -> Response | Redirection:
    phone, form = subscriber(event), Form(request.form)
    reason = form.line("reason", longest=LONGEST_REASON)
    if not parts().register.is_same(phone, form["confirm"]):
        form.errors["confirm"] = gettext("This is not the phone of this subscriber: write it whole, in any form.")
    if not form.errors:
        try:
            noted = act(Action.OPTOUT_LIFTED, phone)
            parts().register.lift(phone, reason=reason, actor=person().name, note=noted)
            return done("lifted", "console.optouts.show", event=event)
        except NotOptedOut:
            return done("lifted-before", "console.optouts.show", event=event)
    return make_response(_page(event, phone, form), 422)


def _page(event: int, phone: str, form: Form) -> str:
    spool = pushed(parts().settings)  # before the register is asked: what is stored in between is seen there
    return render_template(
        "console/optouts/subscriber.html",
        event=event,
        spool=spool,
        known=parts().register.history(phone),
        form=form,
        is_whole=is_revealed(Action.OPTOUTS_READ, phone),
        longest=LONGEST_REASON,
        says=words,
    )

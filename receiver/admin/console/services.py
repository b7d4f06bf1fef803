"""Services: what people subscribe to, and the numbers whose replies belong to each."""

import re
from typing import Any

from flask import Response, abort, make_response, render_template, request
from werkzeug.wrappers import Response as Redirection

from receiver.access import Action
from receiver.access.roles import Permission
from receiver.optout import services as rules
from receiver.optout.services import CODE, LONGEST_NAME, NUMBER, InTheWay, NoSuchService, NumbersTaken, ServiceError
from receiver.store import services

from ..parts import parts
from .forms import Form
from .languages import gettext
from .notices import done
from .problems import told
from .routes import Pages
from .visitor import act

pages = Pages("services")

_ROWS = 50
_LONGEST_CODE = 64
_MOST_NUMBERS = 500
_BETWEEN = re.compile(r"[\s,;，；、]+")


@pages.get("/services", needs=Permission.SEE)
def index() -> str:
    return _list(Form({}))


@pages.post("/services", needs=Permission.SERVICES)
def add() -> Response | Redirection:
    form = Form(request.form)
    code = form.line("code", longest=_LONGEST_CODE)
    if code and not CODE.fullmatch(code):
        form.errors["code"] = told("a code is 1 to 64 letters, digits, dots, hyphens or underscores")
    elif code and _one(code) is not None:
        form.errors["code"] = gettext("There is a service of this code already: change it on its own page.")
    if _change(code, form):
        return done("saved", "console.services.index")
    return make_response(_list(form), 422)


@pages.get("/services/<code>", needs=Permission.SEE)
def show(code: str) -> str:
    return _page(_found(code), Form({}))


@pages.post("/services/<code>", needs=Permission.SERVICES)
def change(code: str) -> Response | Redirection:
    service, form = _found(code), Form(request.form)
    if _change(code, form):
        return done("saved", "console.services.show", code=code)
    return make_response(_page(service, form), 422)


@pages.post("/services/<code>/remove", needs=Permission.SERVICES)
def remove(code: str) -> Response | Redirection:
    service, form = _found(code), Form(request.form)
    if form["confirm"].strip() != code:
        form.errors["confirm"] = gettext("Write the code of this service, as it stands above.")
    else:
        try:
            rules.remove(parts().store, code, note=act(Action.SERVICE_REMOVED, code))
            return done("service-removed", "console.services.index")
        except NoSuchService:
            abort(404)
        except InTheWay as subscribed:
            form.errors["confirm"] = told(str(subscribed))
    return make_response(_page(service, form), 422)


def _change(code: str, form: Form) -> bool:
    """Whether the service is as the form says now; else what is wrong is told beside the fields."""
    name = form.line("name", longest=LONGEST_NAME)
    numbers, prefixes = (_numbers(form, field) for field in ("numbers", "prefixes"))
    if form.errors:
        return False
    try:
        noted = act(Action.SERVICE_CHANGED, code)
        rules.change(parts().store, code, name, numbers=numbers, prefixes=prefixes, note=noted)
    except NumbersTaken as owned:
        for number, service in owned.taken:
            field = "numbers" if number in numbers else "prefixes"
            form.errors[field] = gettext(
                "%(number)s belongs to %(service)s: give that service other numbers before.",
                number=number,
                service=service,
            )
        return False
    except ServiceError as wrong:
        form.errors["name"] = told(str(wrong))
        return False
    return True


def _numbers(form: Form, field: str) -> list[str]:
    written = [each for each in _BETWEEN.split(form[field]) if each]
    if len(written) > _MOST_NUMBERS:
        form.errors[field] = gettext("Write at most %(most)s numbers.", most=_MOST_NUMBERS)
    elif any(not NUMBER.fullmatch(each) for each in written):
        form.errors[field] = told("a service number is 1 to 32 digits")
    return written


def _list(form: Form) -> str:
    after = request.args.get("after", "")
    usable = after if after.isprintable() and len(after) <= _LONGEST_CODE else ""
    with parts().store.reading() as transaction:
        found = services.page(transaction, after=usable or None, limit=_ROWS + 1)
        shown = rules.with_numbers(transaction, found[:_ROWS])
    return render_template("console/services/index.html", form=form, services=shown, has_more=len(found) > _ROWS)


def _page(service: dict[str, Any], form: Form) -> str:
    return render_template("console/services/show.html", service=service, form=form)


def _one(code: str) -> dict[str, Any] | None:
    with parts().store.reading() as transaction:
        found = services.get(transaction, code)
        return None if found is None else rules.with_numbers(transaction, [found])[0]


def _found(code: str) -> dict[str, Any]:
    service = _one(code) if CODE.fullmatch(code) else None
    if service is None:
        abort(404)
    return service

"""Whatever goes wrong on a page, told to people: what it is, and what they can do."""

from flask import Response, g, make_response, render_template
from werkzeug.exceptions import HTTPException

from .languages import Words, lazy_gettext

_INTERNAL = 500
# By status: a title, and what helps.
_WORDS: dict[int, tuple[Words, Words]] = {
    400: (
        lazy_gettext("This form can't be used any more"),
        lazy_gettext("Go back, load the page again, and send the form anew. Cookies must be allowed."),
    ),
    403: (
        lazy_gettext("Your role may not do this"),
        lazy_gettext("An admin can give you another role, or do it for you."),
    ),
    404: (
        lazy_gettext("There is nothing here"),
        lazy_gettext("Check the address. What was looked for may have been removed."),
    ),
    405: (
        lazy_gettext("This address takes no such request"),
        lazy_gettext("Go to the page by the navigation, and use the form there."),
    ),
    413: (
        lazy_gettext("What was sent is too large"),
        lazy_gettext("Send less at once."),
    ),
    500: (
        lazy_gettext("Something failed within"),
        lazy_gettext("Report it with the number below: the log says more under it."),
    ),
    503: (
        lazy_gettext("The database can't be used"),
        lazy_gettext(
            "Replies are taken in all the same, into the spool on the disk of the machine that receives, as long as "
            "that has room. Check that it runs and that RECEIVER_DATABASE_URL is right; the log says more."
        ),
    ),
}  # fmt: skip


def page(failure: HTTPException) -> Response | HTTPException:
    """The page for what the framework or the gate refuses; what is no error stays as it is."""
    status = failure.code or _INTERNAL
    if status < 400:
        return failure
    response = told(status)
    if valid := getattr(failure, "valid_methods", None):
        response.headers["Allow"] = ", ".join(sorted(valid))
    return response


def told(status: int) -> Response:
    """The page for a status. It asks the database for nothing."""
    title, advice = _WORDS.get(status, _WORDS[400 if status < _INTERNAL else _INTERNAL])
    held = g.get("session")
    content = render_template(
        "console/error.html", title=title, advice=advice, request_id=g.get("request_id"), is_known=held is not None
    )
    return make_response(content, status)

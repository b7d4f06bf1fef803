"""That a form was shown by us: a word in it that no other site knows.

Of somebody who is logged in it is derived from the session's cookie; before that from a cookie for this alone.
"""

import hmac
import secrets
from hashlib import sha256

from flask import Response, abort, g, request

from . import cookies
from .visitor import session

FIELD, HEADER = "csrf", "X-CSRF"


def word() -> str:
    """What a form of this visitor must bring. Raises StoreError."""
    held = session()
    if held is not None:
        return held.csrf
    return _derived(_form_cookie())


def check() -> None:
    """End the request with 400 unless it brings the word. Raises StoreError."""
    held = session()
    known = request.cookies.get(cookies.FORM)
    expected = held.csrf if held is not None else _derived(known) if known else None
    given = request.headers.get(HEADER) or request.form.get(FIELD) or ""
    if expected is None or not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
        abort(400, "csrf")


def remember(response: Response) -> Response:
    """Set the cookie of a form that was shown to somebody who had none."""
    if made := g.get("form_cookie"):
        cookies.put(response, cookies.FORM, made)
    return response


def _form_cookie() -> str:
    known = request.cookies.get(cookies.FORM)
    if known:
        return known
    if "form_cookie" not in g:
        g.form_cookie = secrets.token_urlsafe(24)
    made: str = g.form_cookie
    return made


def _derived(cookie: str) -> str:
    return hmac.new(cookie.encode("utf-8", "surrogatepass"), b"csrf", sha256).hexdigest()

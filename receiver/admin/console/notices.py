"""The way back after a form has done something: a redirection whose page says what was done."""

from typing import Any

from flask import redirect, url_for
from werkzeug.wrappers import Response as Redirection

from .words import NOTICES


def done(what: str, endpoint: str, **values: Any) -> Redirection:
    """Go to a page that says ``what``, a code of ``words.NOTICES``."""
    assert what in NOTICES
    return redirect(url_for(endpoint, done=what, **values), 303)


def local(target: str) -> str:
    """``target`` where it is a page of ours, else the first page: nobody is led elsewhere by a link to here."""
    is_ours = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if is_ours and "\\" not in target else "/"

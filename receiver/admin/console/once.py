"""A secret that is shown once: the page that a form leads to gets it from a cookie of its own, and takes that away.

So the page can be loaded again without the form being sent again, and nothing here keeps the secret meanwhile.
"""

from datetime import timedelta
from typing import Any

from flask import Response, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as Redirection

from . import cookies

# From the redirection to the page.
_LASTS = timedelta(minutes=1)


def lead(secret: str, endpoint: str, **values: Any) -> Redirection:
    """Go to the page that shows ``secret``."""
    address = url_for(endpoint, **values)
    response = redirect(address, 303)
    cookies.put(response, cookies.ONCE, secret, _LASTS, path=address)
    return response


def secret() -> str:
    """What this page is to show; empty where it was shown before. Whether it is one of ours is for the page to tell."""
    return request.cookies.get(cookies.ONCE, "")


def shown(content: str) -> Response:
    """The page, after which the secret is gone."""
    response = make_response(content)
    cookies.drop(response, cookies.ONCE, path=request.path)
    return response

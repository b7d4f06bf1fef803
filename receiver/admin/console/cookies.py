"""The console's cookies: who is logged in, which form was shown, a secret to show once, how somebody likes it."""

from datetime import timedelta

from flask import request
from werkzeug.wrappers import Response

from receiver.vocabulary.source import is_within

from ..parts import parts

SESSION, FORM, ONCE = "receiver_session", "receiver_form", "receiver_once"
LOCALE, THEME = "receiver_locale", "receiver_theme"
LIKED_FOR = timedelta(days=365)


def put(response: Response, name: str, value: str, lasts: timedelta | None = None, *, path: str = "/") -> None:
    """Set a cookie that no script can read and no other site's form sends along."""
    response.set_cookie(name, value, max_age=lasts, httponly=True, samesite="Lax", secure=is_https(), path=path)


def drop(response: Response, name: str, *, path: str = "/") -> None:
    """Have the browser forget a cookie."""
    response.delete_cookie(name, path=path, httponly=True, samesite="Lax", secure=is_https())


def is_https() -> bool:
    """Whether the browser came by TLS: to this port, or to a trusted proxy that says so."""
    if request.is_secure:
        return True
    proxied = is_within(request.remote_addr or "", parts().settings.trusted_proxies)
    return proxied and request.headers.get("X-Forwarded-Proto", "").strip().lower() == "https"

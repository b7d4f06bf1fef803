"""The headers that every answer of the admin side carries, so that no browser uses it for what it is not for."""

from flask import Flask, Response

from .console.cookies import is_https
from .console.gate import is_consoles

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The console's scripts are files of ours; its style sheet draws ticks and arrows from data: addresses.
_CONSOLE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_NOT_KEPT = "no-store"
# A year, of this host alone: what else is below its name is not ours to decide.
_TLS_ONLY = "max-age=31536000"

# Of what is answered outside the application, to requests that can't be read.
BARE = {"Content-Security-Policy": _POLICY, **_ALWAYS, "Cache-Control": _NOT_KEPT}


def harden(app: Flask) -> None:
    """Give every answer of ``app`` its headers."""
    app.after_request(_harden)


def _harden(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _CONSOLE_POLICY if is_consoles() else _POLICY
    for name, value in _ALWAYS.items():
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", _NOT_KEPT)
    # Told without TLS it would count for nothing, and told by a stranger's word it would lock people out.
    if is_https():
        response.headers["Strict-Transport-Security"] = _TLS_ONLY
    return response

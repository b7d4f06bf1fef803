"""The application of the admin role: the console and the JSON API."""

from importlib.metadata import version

from flask import Response
from flask_openapi3 import Info, OpenAPI

from receiver.config import Settings
from receiver.store.store import Store

from . import failures
from .api import add_api, problems
from .api.documents import DESCRIPTION
from .api.routes import SECURITY
from .console import add_console
from .console.gate import is_consoles
from .health import add_health
from .parts import Parts

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The console's scripts are files of ours; its style sheet draws ticks and arrows from data: addresses.
_CONSOLE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def create_admin_app(settings: Settings) -> OpenAPI:
    """Everything that listens at ``ADMIN_BIND``."""
    app = OpenAPI(
        __name__,
        info=Info(title="SMS receiver", version=version("receiver"), description=DESCRIPTION),
        security_schemes={SECURITY: {"type": "http", "scheme": "bearer", "description": "A key: `rcv_…`"}},
        validation_error_model=problems.Problem,
        validation_error_callback=problems.of_validation,
        doc_ui=False,
        static_folder="static",
    )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.json.sort_keys = False  # type: ignore[attr-defined]
    # An address has one form: a redirection to it would repeat what it holds, phones among it.
    app.url_map.merge_slashes = False
    Parts(settings, Store(settings.url)).attach(app.extensions)
    add_api(app)
    add_console(app)
    add_health(app)
    failures.handle(app)
    app.after_request(_harden)
    return app


def _harden(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _CONSOLE_POLICY if is_consoles() else _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    response.headers.setdefault("Cache-Control", "no-store")
    return response

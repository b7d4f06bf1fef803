"""The application of the admin role: the console and the JSON API."""

from importlib.metadata import version

from flask_openapi3 import Info, OpenAPI

from receiver.config import Settings
from receiver.store.store import Store

from . import failures
from .api import add_api, problems
from .api.documents import DESCRIPTION
from .api.routes import SECURITY
from .console import add_console
from .hardening import harden
from .health import add_health
from .metrics import add_metrics
from .parts import Parts


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
    parts = Parts(settings, Store(settings.url))
    parts.attach(app.extensions)
    add_api(app)
    add_console(app)
    add_health(app)
    add_metrics(app, parts)
    failures.handle(app)
    harden(app)
    return app

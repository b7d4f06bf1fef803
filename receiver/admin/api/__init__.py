"""The JSON API at /api/v1: what programs of other teams query, export, check and send with."""

from flask_openapi3 import OpenAPI

from . import (
    audit,
    checks,
    documents,
    exports,
    gate,
    keys,
    messages,
    optout_lists,
    optouts,
    quarantine,
    redecoding,
    replaying,
    sends,
    services,
    sms,
    stats,
    stream,
    subscribers,
    subscription_lists,
    subscriptions,
)
from .routes import CONVERTERS

# Each subject has a module, whose routes name the scope that they need; in the order of the reference.
SUBJECTS = (
    messages,
    exports,
    stream,
    stats,
    redecoding,
    checks,
    optouts,
    optout_lists,
    subscriptions,
    subscription_lists,
    subscribers,
    services,
    sms,
    sends,
    quarantine,
    replaying,
    keys,
    audit,
)


def add_api(app: OpenAPI) -> None:
    """Give ``app`` the API, its description and its documentation."""
    app.url_map.converters.update(CONVERTERS)
    gate.guard(app)
    for subject in SUBJECTS:
        app.register_api(subject.routes.blueprint)
    documents.describe(app, [route for subject in SUBJECTS for route in subject.routes.declared])


__all__ = ["add_api"]

"""The console: where people read replies and prove unsubscribes, in pages that need no script."""

from flask import Blueprint, Flask

from . import (
    account,
    appearance,
    audit,
    exports,
    gate,
    gateway,
    health,
    keys,
    languages,
    login,
    optouts,
    overview,
    people,
    preferences,
    quarantine,
    replies,
    sends,
    services,
)

# Each subject has a module, whose pages name the permission that they need.
SUBJECTS = (
    overview,
    replies,
    exports,
    optouts,
    sends,
    services,
    quarantine,
    login,
    preferences,
    account,
    gateway,
    people,
    keys,
    audit,
    health,
)


def add_console(app: Flask) -> None:
    """Give ``app`` its pages for people."""
    languages.add_languages(app)
    appearance.add_appearance(app)
    gate.guard(app)
    whole = Blueprint("console", __name__)
    for subject in SUBJECTS:
        whole.register_blueprint(subject.pages.blueprint)
    app.register_blueprint(whole)


__all__ = ["add_console"]

"""The inbound-SMS receiver: never loses a reply, never texts a person who said stop, and can prove both."""

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from flask import Flask

    from receiver.callback.app import CallbackApp
    from receiver.config import Settings
    from receiver.intake.group_commit import Host


def create_callback_app(settings: "Settings", host: "Host | None" = None) -> "CallbackApp":
    """The application of the callback role: recv.asp, /healthz, /readyz, and nothing else.

    ``host`` says how requests wait for their commit: threads by default, greenlets in our own worker.
    """
    from receiver.callback.access import Access
    from receiver.callback.app import CallbackApp, health_app
    from receiver.callback.views import Callback
    from receiver.intake import Intake
    from receiver.intake.spool import spool_of
    from receiver.store.store import Store

    intake = Intake(
        Store(settings.url),
        duplicate_window=timedelta(seconds=settings.duplicate_window),
        timeout=settings.ack_timeout,
        max_waiting=settings.max_waiting,
        host=host,
        spool=spool_of(settings),
    )
    token = settings.callback_token
    callback = Callback(
        access=Access(settings.allowed_sources, settings.trusted_proxies, token.get_secret_value() if token else None),
        reading=settings.reading,
        intake=intake,
    )
    return CallbackApp(settings.callback_path, callback, others=health_app(intake))


def create_admin_app(settings: "Settings") -> "Flask":
    """The application of the admin role: the console and the JSON API."""
    from receiver.admin import app

    return app.create_admin_app(settings)


def create_app(settings: "Settings | None" = None) -> "WSGIApplication":
    """Both web roles in one application, for people who bring their own server; settings as usual.

    The callback has its path and ``/readyz``; everything else is the admin pages, which no one but admins should reach.
    """
    from receiver import config

    settings = settings or config.load()
    callback = create_callback_app(settings)
    admin = create_admin_app(settings)

    def choose(environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
        path = environ.get("PATH_INFO", "")
        return (callback if path.endswith(settings.callback_path) else admin)(environ, start_response)

    return choose

"""Whether the admin role lives, and whether a page could be answered: for machines that ask."""

from flask import Flask, Response

from receiver import build
from receiver.store.errors import StoreError

from .console.routes import Who, open_to
from .parts import parts


def add_health(app: Flask) -> None:
    """``/healthz`` and ``/readyz``."""
    for view in (healthz, readyz):
        app.add_url_rule(f"/{view.__name__}", view_func=open_to(Who.ANYBODY)(view))


def healthz() -> Response:
    return Response(f"alive, receiver {build.name()}", content_type="text/plain")


def readyz() -> Response:
    try:
        parts().store.probe()
    except StoreError:
        return Response("not ready: the database can't be used", 503, content_type="text/plain")
    return Response("ready", content_type="text/plain")

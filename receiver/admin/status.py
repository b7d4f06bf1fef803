"""The status page: whether replies come in, and what to do where they don't."""

from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Flask, Response, render_template

from receiver.config import Settings
from receiver.store import overview
from receiver.store.errors import StoreError
from receiver.store.store import Store

# The gateway's and most readers' time (protocol.md §2); a person's own zone comes with accounts.
CHINA = ZoneInfo("Asia/Shanghai")


def create_status_app(settings: Settings) -> Flask:
    """One page at ``/``, ``/healthz`` and ``/readyz``; nothing on it is a phone or a text."""
    store = Store(settings.url)
    app = Flask(__name__, static_folder="static")
    app.jinja_env.filters["china_time"] = _china_time

    @app.get("/")
    def status() -> tuple[str, int]:
        try:
            with store.reading() as connection:
                seen = overview.overview(connection)
        except StoreError as failure:
            return render_template("status.html", settings=settings, database=store.description, failure=failure), 503
        return render_template("status.html", settings=settings, database=store.description, seen=seen), 200

    @app.get("/healthz")
    def alive() -> Response:
        return Response("alive", content_type="text/plain")

    @app.get("/readyz")
    def ready() -> Response:
        try:
            store.probe()
        except StoreError:
            return Response("not ready: the database can't be used", 503, content_type="text/plain")
        return Response("ready", content_type="text/plain")

    @app.after_request
    def harden(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'self'; img-src 'self'"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response

    return app


def _china_time(moment: datetime) -> str:
    return moment.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")

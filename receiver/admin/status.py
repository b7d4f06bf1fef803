"""The status page: whether replies come in, and what to do where they don't."""

from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Flask, Response, render_template

from receiver.store import overview
from receiver.store.errors import StoreError

from .parts import parts

# The gateway's and most readers' time (protocol.md §2); a person's own zone comes with accounts.
CHINA = ZoneInfo("Asia/Shanghai")


def add_status(app: Flask) -> None:
    """One page at ``/``, ``/healthz`` and ``/readyz``; nothing on it is a phone or a text."""
    app.jinja_env.filters["china_time"] = _china_time

    def status() -> tuple[str, int]:
        known = {"settings": parts().settings, "database": parts().store.description}
        try:
            with parts().store.reading() as connection:
                seen = overview.overview(connection)
        except StoreError as failure:
            return render_template("status.html", **known, failure=failure), 503
        return render_template("status.html", **known, seen=seen), 200

    def healthz() -> Response:
        return Response("alive", content_type="text/plain")

    def readyz() -> Response:
        try:
            parts().store.probe()
        except StoreError:
            return Response("not ready: the database can't be used", 503, content_type="text/plain")
        return Response("ready", content_type="text/plain")

    for rule, view in (("/", status), ("/healthz", healthz), ("/readyz", readyz)):
        app.add_url_rule(rule, view_func=view)


def _china_time(moment: datetime) -> str:
    return moment.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")

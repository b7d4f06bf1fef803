"""Metrics for monitoring, behind a key; and what this role counts of its own answers."""

from flask import Flask, Response

from receiver.access import Scope
from receiver.metrics.scrape import MEDIA_TYPE, of_admin
from receiver.tally import RESPONSES

from .api.routes import METRICS, needs
from .console.gate import is_consoles
from .parts import Parts

_CLASSES = ("2xx", "3xx", "4xx", "5xx")


def add_metrics(app: Flask, made_of: Parts) -> None:
    """``/metrics``, and a count of every answer that ``app`` gives."""
    scrape = of_admin(made_of.settings, made_of.store)

    @needs(Scope.METRICS_READ)
    def metrics() -> Response:
        return Response(scrape.text(), content_type=MEDIA_TYPE)

    app.add_url_rule(METRICS, view_func=metrics)
    app.after_request(_count)


def _count(response: Response) -> Response:
    status = f"{response.status_code // 100}xx"
    if status in _CLASSES:
        RESPONSES.of("console" if is_consoles() else "api", status).add()
    return response

"""Whatever goes wrong below /api becomes a problem document, and a line in the log that holds nothing private."""

import logging

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from receiver.observability import place_of
from receiver.store.errors import Conflict, StoreError, Unavailable

from . import problems
from .problems import INTERNAL, UNAVAILABLE, Rejected

_log = logging.getLogger(__name__)
_RETRY = {"Retry-After": "2"}


def handle(app: Flask) -> None:
    """Have ``app`` answer failures of the API so; those of its pages stay as they are."""
    app.register_error_handler(Rejected, problems.answer)
    app.register_error_handler(StoreError, _store)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def _store(failure: StoreError) -> Response:
    if isinstance(failure, Unavailable | Conflict):
        _log.warning("request %s: the database can't be used: %s", g.get("request_id"), failure)
        return problems.answer(Rejected(UNAVAILABLE, "the database can't be used now: try again", headers=_RETRY))
    return _unexpected(failure)


def _http(failure: HTTPException) -> Response | HTTPException:
    return problems.of_http(failure) if request.path.startswith("/api/") else failure


def _unexpected(failure: Exception) -> Response:
    # Where it arose, and not what it says: that may quote a phone or a text.
    _log.error("request %s failed: %s in %s", g.get("request_id"), type(failure).__name__, place_of(failure))
    if request.path.startswith("/api/"):
        return problems.answer(Rejected(INTERNAL, "it failed within: the log says more under the request id"))
    return Response("Something failed within. The log says more.", 500, content_type="text/plain; charset=utf-8")

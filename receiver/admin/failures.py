"""Whatever goes wrong: a problem document below /api, a page elsewhere, and a line in the log that is never private."""

import logging

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from receiver.observability import place_of
from receiver.store.errors import Conflict, StoreError, Unavailable

from .api import problems
from .api.problems import INTERNAL, UNAVAILABLE, Rejected
from .console import failures as pages
from .console.gate import is_consoles

_log = logging.getLogger(__name__)
_RETRY = {"Retry-After": "2"}


def handle(app: Flask) -> None:
    """Have ``app`` answer failures so."""
    app.register_error_handler(Rejected, problems.answer)
    app.register_error_handler(StoreError, _store)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def _store(failure: StoreError) -> Response:
    if not isinstance(failure, Unavailable | Conflict):
        return _unexpected(failure)
    _log.warning("the database can't be used: %s", failure)
    if is_consoles():
        return pages.told(UNAVAILABLE.status)
    return problems.answer(Rejected(UNAVAILABLE, "the database can't be used now: try again", headers=_RETRY))


def _http(failure: HTTPException) -> Response | HTTPException:
    return pages.page(failure) if is_consoles() else problems.of_http(failure)


def _unexpected(failure: Exception) -> Response:
    # Where it arose, and not what it says: that may quote a phone or a text.
    _log.error("a request failed: %s in %s", type(failure).__name__, place_of(failure))
    if is_consoles():
        return pages.told(INTERNAL.status)
    return problems.answer(Rejected(INTERNAL, "it failed within: the log says more under the request id"))

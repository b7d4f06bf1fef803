"""The callback role's WSGI application: recv.asp in front, and a small Flask application for everything else.

recv.asp is answered before Flask makes a request of it: its work is parsing bytes and one commit, and the framework's
share of the time (routing, contexts, sessions, response objects) was as large as both (``make bench``).
"""

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from receiver import build
from receiver.intake import Intake
from receiver.observability import place_of
from receiver.tally import ANSWERS

from .answer import HEADERS, Answer
from .views import Callback

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_log = logging.getLogger(__name__)
_COUNTED = {answer: ANSWERS.of(str(int(answer))) for answer in Answer}
_HEADERS = {answer: [*HEADERS, ("Content-Length", str(len(answer.body)))] for answer in Answer}


class CallbackApp:
    """``path`` (and ``/<token>`` before it, where a token is set) goes to ``callback``, the rest to ``others``."""

    def __init__(self, path: str, callback: Callback, others: "WSGIApplication") -> None:
        self.path = path
        self.intake: Intake = callback.intake
        self._callback = callback
        self._others = others
        self._has_token = callback.access.token is not None

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == self.path:
            answer = self._receive(environ)
        elif self._has_token and path.endswith(self.path) and "/" not in (token := path[1 : -len(self.path)]):
            answer = self._receive(environ, token)
        else:
            return self._others(environ, start_response)
        _COUNTED[answer].add()
        start_response("200 OK", _HEADERS[answer])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]

    def expects(self, peer: str) -> bool:
        """Whether requests from ``peer`` may be a gateway's: it is allowed, or a proxy that speaks for others."""
        return self._callback.access.allows(peer) or self._callback.access.is_proxy(peer)

    def close(self) -> None:
        """Write what waits, before the process ends."""
        self.intake.flush()

    def _receive(self, environ: "WSGIEnvironment", path_token: str | None = None) -> Answer:
        try:
            return self._callback.receive(environ, path_token)
        except Exception as failure:
            # A fault of ours: the gateway must read a number all the same, and nothing was promised. Where it arose,
            # and not what it says: that may quote a phone or a text.
            _log.error("recv.asp failed: %s in %s", type(failure).__name__, place_of(failure))
            return Answer.UNAVAILABLE


def health_app(intake: Intake) -> Flask:
    """``/healthz``: the process answers. ``/readyz``: a reply could be stored now. All else: 404 and ``-1``."""
    app = Flask(__name__, static_folder=None)

    @app.get("/healthz")
    def alive() -> Response:
        return Response(f"alive, receiver {build.name()}", content_type="text/plain")

    @app.get("/readyz")
    def ready() -> Response:
        if intake.is_ready():
            return Response("ready", content_type="text/plain")
        return Response("not ready: the database can't store a reply now", 503, content_type="text/plain")

    @app.errorhandler(HTTPException)
    def no_such_page(error: HTTPException) -> Response:
        return Response(Answer.UNUSABLE.body, error.code, content_type="text/plain")

    @app.errorhandler(Exception)
    def failed(failure: Exception) -> Response:
        _log.error("a health check failed: %s in %s", type(failure).__name__, place_of(failure))
        return Response(Answer.UNAVAILABLE.body, 500, content_type="text/plain")

    @app.after_request
    def same_headers(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    return app

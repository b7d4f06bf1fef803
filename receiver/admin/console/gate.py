"""What each request to the console passes before its view: somebody may see the page, and its form is ours."""

from flask import Flask, Response, abort, current_app, redirect, request, url_for
from werkzeug.wrappers import Response as Redirection

from receiver.access.roles import Permission

from . import csrf
from .routes import Who, needs_of
from .visitor import session

# Below it, and there, programs ask.
_API, _METRICS = "/api/", "/metrics"
_STATIC = "static"
_LOOKS = ("GET", "HEAD", "OPTIONS")
HTMX = "HX-Request"


def guard(app: Flask) -> None:
    """Have every request that is not the API's pass here first."""
    app.before_request(_pass)
    app.after_request(csrf.remember)


def is_consoles() -> bool:
    """Whether this request is for people, and not for programs."""
    return not (request.path.startswith(_API) or request.path == _METRICS)


def _pass() -> Redirection | None:
    # The API has its own gate; a static file is nobody's; 404 and 405 are the framework's to say.
    if not is_consoles() or request.endpoint in (None, _STATIC):
        return None
    needs = needs_of(current_app.view_functions[request.endpoint])
    if needs is None:
        abort(403)  # a page that names no permission is open to nobody
    if needs is not Who.ANYBODY:
        held = session()
        if held is None:
            return _to_login()
        if isinstance(needs, Permission) and not held.person.may(needs):
            abort(403)
    if request.method not in _LOOKS:
        csrf.check()
    return None


def _to_login() -> Redirection:
    came_for = request.full_path.rstrip("?") if request.method in _LOOKS else None
    target = url_for("console.login.form", next=came_for if came_for != "/" else None)
    if request.headers.get(HTMX):
        # A script that swaps parts of a page would put the form in there: the whole page is to go.
        return Response(status=401, headers={"HX-Redirect": url_for("console.login.form")})
    return redirect(target, 303)

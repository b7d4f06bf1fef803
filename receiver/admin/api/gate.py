"""What each request passes before its view: it can be read, its key is valid, and the key has the scope."""

import secrets
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import RequestEntityTooLarge

from receiver.access import Act, Action, Key, KeyRefused
from receiver.access.audit import Via
from receiver.access.rates import Policy
from receiver.access.scopes import allows
from receiver.observability import begin_request
from receiver.vocabulary.source import neighbourhood

from ..parts import parts
from ..peer import peer
from . import limits
from .problems import BAD_REQUEST, FORBIDDEN, MEDIA, TOO_LARGE, UNAUTHORIZED, Rejected
from .routes import METRICS, PREFIX, body_media, is_public, scope_of

# Bytes of a request's body. Twenty thousand phones take less than half of it.
LARGEST_BODY = 1_000_000
_NOT_WHOLE = "the body can't be read: send it whole, as long as its headers say"
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="receiver"'}


def guard(app: Flask) -> None:
    """Have every request below ``PREFIX`` pass here first."""
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.before_request(_name_request)
    app.before_request(_pass)
    app.after_request(_tell_request)
    app.after_request(limits.tell)


def key() -> Key:
    """The key of this request."""
    held: Key = g.key
    return held


def token() -> str:
    """The token that this request came with."""
    given = request.authorization
    return given.token or "" if given is not None else ""


def act(action: Action, target: str | None = None, **detail: object) -> Act:
    """What this request does, for the audit."""
    return Act(action, key().actor, Via.API, target, detail, key().id, peer())


def _name_request() -> None:
    g.request_id = secrets.token_hex(8)
    begin_request(g.request_id)


def _tell_request(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.get("request_id", "")
    return response


def _pass() -> None:
    if not (request.path.startswith(PREFIX + "/") or request.path == METRICS):
        return
    limits.take(Policy.ADDRESS, neighbourhood(peer()))
    _check_encoding()
    if request.routing_exception is not None or request.endpoint is None:
        return  # 404 and 405 are the framework's to say
    view = current_app.view_functions[request.endpoint]
    if is_public(view):
        return
    g.key = _authenticated()
    limits.take(Policy.KEY, str(g.key.id))
    scope = scope_of(view)
    if scope is None or not allows(g.key.scopes, scope):
        # A route that names no scope is open to nobody.
        raise Rejected(FORBIDDEN, f"this needs the scope {scope}, which the key {g.key.prefix} does not have")
    if media := body_media(view):
        _check_body(media)


def _authenticated() -> Key:
    given = request.authorization
    why = UNAUTHORIZED.advice
    if given is not None and given.type == "bearer" and given.token:
        try:
            return parts().keys.authenticate(given.token)
        except KeyRefused as refused:
            why = str(refused)
    # Counted apart, and less of it allowed. Whoever has a key is not shut out by a neighbour who guesses: with 256
    # random bits, guessing is noise and no danger.
    limits.take(Policy.FAILURES, neighbourhood(peer()))
    raise Rejected(UNAUTHORIZED, why, headers=_CHALLENGE)


def _check_encoding() -> None:
    """Refuse what is no UTF-8: decoded leniently, a filter would look for something else than was asked."""
    try:
        unquote_to_bytes(request.query_string).decode()
        request.environ.get("PATH_INFO", "").encode("latin-1").decode()
    except UnicodeError:
        raise Rejected(BAD_REQUEST, "the address holds bytes that are no UTF-8: escape text as UTF-8") from None


def _check_body(media: Sequence[str]) -> None:
    if request.mimetype not in media:
        raise Rejected(MEDIA, f"send the body with Content-Type: {' or '.join(media)}")
    said = request.content_length
    try:
        body = request.get_data()
    except RequestEntityTooLarge:
        body = None
    except Exception:  # it may be one of the server's own: a chunk without a size, an end that never came
        raise Rejected(BAD_REQUEST, _NOT_WHOLE) from None
    # A body that says no length is read to the limit, and what follows is left unread.
    if body is None or (said is None and len(body) >= LARGEST_BODY):
        raise Rejected(TOO_LARGE, f"the body is larger than {LARGEST_BODY:,} bytes: send less at once")
    if said is not None and said != len(body):
        raise Rejected(BAD_REQUEST, _NOT_WHOLE)

"""recv.asp's one view: who calls, what it says, what becomes of it, and the number that is answered."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from receiver.intake import Intake, Outcome
from receiver.vocabulary import Delivery, Reading, Reason, Undeliverable
from receiver.vocabulary.parse import LARGEST_QUERY, parameters, parse, unsubscribing_phone, without_token
from receiver.vocabulary.wire import read_text

from .access import Access
from .answer import Answer
from .limits import LARGEST_KEPT, UNREADABLE, Unreadable

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

_FORM_TYPES = frozenset(["", "application/x-www-form-urlencoded", "text/plain"])
_REFUSALS = {Reason.SOURCE: "its address is not allowed", Reason.TOKEN: "its token is missing or wrong"}
_ANSWERS = {
    Outcome.STORED: Answer.STORED,
    Outcome.QUARANTINED: Answer.UNUSABLE,
    Outcome.UNAVAILABLE: Answer.UNAVAILABLE,
    Outcome.BUSY: Answer.UNAVAILABLE,
    Outcome.REFUSED: Answer.UNAVAILABLE,
}


@dataclass(frozen=True)
class Callback:
    """The callback over what one process has: who may call, how to read, and where it goes.

    It works on the WSGI environment itself: the query's bytes are ours to read, and nothing that a framework adds
    stands between a reply and its storage.
    """

    access: Access
    reading: Reading
    intake: Intake

    def receive(self, environ: "WSGIEnvironment", path_token: str | None = None) -> Answer:
        """The answer to one request, whatever its method, given the token that its path had."""
        query = environ.get("QUERY_STRING", "").encode("latin-1")
        source = self.access.source(environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR"))
        refusal = self._refusal(source, path_token, query)
        if refusal is not None:
            return self._refuse(refusal, query, source, environ)

        said = self._said(environ, query)
        if isinstance(said, Delivery):
            return _ANSWERS[self.intake.accept(said, peer=source)]
        return self._quarantine(said, source)

    def _refusal(self, source: str, path_token: str | None, query: bytes) -> Reason | None:
        if not self.access.allows(source):
            return Reason.SOURCE
        if self.access.token is None:
            return None
        given = [read_text(value).text for value in parameters(query, token=True).get("token", [])]
        given += [path_token] if path_token is not None else []
        return None if given and all(map(self.access.accepts, given)) else Reason.TOKEN

    def _said(self, environ: "WSGIEnvironment", query: bytes) -> Delivery | Undeliverable:
        unreadable: Unreadable | None = environ.get(UNREADABLE)
        if unreadable is not None:
            said = query if query and unreadable.line_is_whole else unreadable.head
            return self._unusable(Reason.MALFORMED, unreadable.detail, said, query, unreadable.too_large)
        method = environ["REQUEST_METHOD"]
        said = query if method == "GET" else _joined(query, _body(environ))
        if method not in ("GET", "POST"):
            return self._unusable(Reason.METHOD, f"method {method[:20]} delivers nothing", said, query)
        media_type = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        if method == "POST" and media_type not in _FORM_TYPES:
            return self._unusable(Reason.CONTENT_TYPE, f"a body of type {media_type[:60]} is no form", said, query)
        if len(said) > LARGEST_QUERY:
            return self._unusable(Reason.TOO_LARGE, "", said, query)
        return parse(said, self.reading)

    def _unusable(
        self, reason: Reason, detail: str, said: bytes, query: bytes, too_large: bool = False
    ) -> Undeliverable:
        """What can't be accepted whatever it says; the unsubscribe in it is honoured all the same."""
        if too_large or len(said) > LARGEST_QUERY:
            reason, detail = Reason.TOO_LARGE, f"more than {LARGEST_QUERY} bytes; at most {LARGEST_KEPT} are kept"
        kept = said[:LARGEST_KEPT]
        # A body behind the query may hide the stop that the query says.
        stop = unsubscribing_phone(kept, self.reading) or unsubscribing_phone(query[:LARGEST_KEPT], self.reading)
        return Undeliverable(reason, detail, kept, stop)

    def _quarantine(self, why: Undeliverable, source: str) -> Answer:
        if self.intake.quarantine(self._without_token(why), peer=source) is not Outcome.STORED:
            return Answer.UNAVAILABLE
        return Answer.TOO_LARGE if why.reason is Reason.TOO_LARGE else Answer.UNUSABLE

    def _without_token(self, why: Undeliverable) -> Undeliverable:
        """The same with the secret taken out of its bytes, wherever it stood and however it was escaped."""
        if self.access.token is None:
            return why
        raw = without_token(why.raw).replace(self.access.token.encode(), b"")
        return Undeliverable(why.reason, why.detail, raw, why.unsubscribes)

    def _refuse(self, reason: Reason, query: bytes, source: str, environ: "WSGIEnvironment") -> Answer:
        unreadable: Unreadable | None = environ.get(UNREADABLE)
        said = _joined(query, _body(environ)) or (unreadable.head if unreadable else b"")
        self.intake.refuse(
            self._without_token(Undeliverable(reason, _REFUSALS[reason], said[:LARGEST_QUERY])), peer=source
        )
        return Answer.REFUSED


def _body(environ: "WSGIEnvironment") -> bytes:
    """The request's body, as much of it as is kept."""
    if environ.get("CONTENT_LENGTH", "") in ("", "0") and "HTTP_TRANSFER_ENCODING" not in environ:
        return b""
    body: bytes = environ["wsgi.input"].read(LARGEST_KEPT + 1)
    return body


def _joined(query: bytes, body: bytes) -> bytes:
    return query + b"&" + body if query and body else query or body

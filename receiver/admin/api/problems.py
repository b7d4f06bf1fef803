"""Errors as problem documents (RFC 9457): a stable type, what was wrong in which field, and what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, g, json
from pydantic import BaseModel, Field, ValidationError
from werkzeug.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"
TYPES_AT = "/api/problems/"


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of problem: its name at ``TYPES_AT``, its status, its title, and what helps."""

    name: str
    status: int
    title: str
    advice: str


BAD_REQUEST = Kind("bad-request", 400, "The request can't be read", "Send well-formed HTTP, UTF-8 and JSON.")
UNAUTHORIZED = Kind(
    "unauthorized",
    401,
    "A valid key is needed",
    "Send Authorization: Bearer <key>; make one with: receiver keys create.",
)
FORBIDDEN = Kind("forbidden", 403, "The key lacks the scope", "Use a key that has the scope which the problem names.")
NOT_FOUND = Kind("not-found", 404, "There is no such thing", "Check the address and the id.")
METHOD = Kind("method-not-allowed", 405, "The method is not allowed here", "Use one that the header Allow names.")
NOT_ACCEPTABLE = Kind("not-acceptable", 406, "It can't be given in this form", "Accept application/json.")
CONFLICT = Kind("conflict", 409, "It contradicts what is stored", "Read what is stored, and decide anew.")
OPTED_OUT = Kind(
    "opted-out", 409, "The phone is opted out", "Only a lift, by a person and with a reason, opens it again."
)
TOO_LARGE = Kind("too-large", 413, "The request is too large", "Send less at once.")
MEDIA = Kind("unsupported-media-type", 415, "The body has the wrong media type", "Send the type that the detail names.")
INVALID = Kind("invalid", 422, "Something in the request can't be used", "Correct the fields that the errors name.")
REFUSED = Kind("refused", 422, "It can't be done so", "The detail says why, and the way out.")
REUSED_KEY = Kind(
    "idempotency-key-reused",
    422,
    "The idempotency key belongs to another request",
    "Send the first request again, or a new key with a new one.",
)
RATE_LIMITED = Kind("rate-limited", 429, "Too many requests", "Wait as long as Retry-After says.")
INTERNAL = Kind("internal", 500, "It failed within", "Report it with the request id; the log says more under it.")
GATEWAY = Kind("gateway", 502, "The gateway refused, or can't be understood", "The detail has the gateway's code.")
UNAVAILABLE = Kind("unavailable", 503, "The database can't be used now", "Try again in a moment.")

KINDS = (
    BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, METHOD, NOT_ACCEPTABLE, CONFLICT, OPTED_OUT, TOO_LARGE,
    MEDIA,    INVALID, REFUSED, REUSED_KEY, RATE_LIMITED, INTERNAL, GATEWAY, UNAVAILABLE,
)  # fmt: skip
_BY_STATUS = {kind.status: kind for kind in reversed(KINDS)}


class FieldError(BaseModel):
    """One field that can't be used."""

    field: str = Field(description="Where: a parameter's name, or the path in the body", examples=["since"])
    message: str = Field(description="What is wrong, and what to write", examples=["the time names no zone"])


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="Stable, and the address of an explanation", examples=[TYPES_AT + INVALID.name])
    title: str = Field(examples=[INVALID.title])
    status: int = Field(examples=[INVALID.status])
    detail: str = Field(description="What was wrong here, and what to do", examples=["since: the time names no zone"])
    errors: list[FieldError] | None = Field(None, description="Each field that can't be used")
    request_id: str | None = Field(None, description="What the log has it under")


class Rejected(Exception):
    """Raised by a view: the request ends with this problem."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        errors: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(kind.name)
        self.kind, self.detail, self.errors, self.headers = kind, detail, errors, dict(headers or {})


def invalid(field: str, message: str) -> Rejected:
    """One field that can't be used."""
    return Rejected(INVALID, f"{field}: {message}", errors=[(field, message)])


def answer(rejected: Rejected) -> Response:
    """The problem as a response."""
    document = document_of(rejected.kind, rejected.detail, rejected.errors, g.get("request_id"))
    response = Response(json.dumps(document, ensure_ascii=False), rejected.kind.status, content_type=MEDIA_TYPE)
    response.headers.update(rejected.headers)
    return response


def document_of(kind: Kind, detail: str, errors: Sequence[tuple[str, str]], request_id: str | None) -> dict[str, Any]:
    """A problem document, as ``Problem`` describes it."""
    document: dict[str, Any] = {
        "type": TYPES_AT + kind.name,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
    }
    if errors:
        document["errors"] = [{"field": field, "message": message} for field, message in errors]
    if request_id:
        document["request_id"] = request_id
    return document


def of_validation(failure: ValidationError) -> Response:
    """A request that its model refuses. What was given is never quoted: it may be a phone or a text."""
    wrong = failure.errors(include_input=False, include_url=False)
    errors = [(_field(error["loc"]), _message(error)) for error in wrong]
    detail = "; ".join(f"{field}: {message}" for field, message in errors[:_NAMED])
    return answer(Rejected(INVALID, detail, errors=errors[:_MOST_ERRORS]))


def of_http(failure: HTTPException) -> Response:
    """What the framework refuses before a view sees it."""
    kind = _BY_STATUS.get(failure.code or 500, INTERNAL)
    headers = {"Allow": ", ".join(sorted(valid))} if (valid := getattr(failure, "valid_methods", None)) else {}
    return answer(Rejected(kind, kind.advice, headers=headers))


_NAMED, _MOST_ERRORS, _LONGEST_FIELD = 5, 50, 100


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location))[:_LONGEST_FIELD] or "body"


# What pydantic says of these helps nobody who doesn't know it.
_IN_OUR_WORDS = {
    "extra_forbidden": "there is no such field here: leave it out, or check how it is written",
    "missing": "this is needed: send it too",
}


def _message(error: Any) -> str:
    return _IN_OUR_WORDS.get(error["type"]) or str(error["msg"]).removeprefix("Value error, ")

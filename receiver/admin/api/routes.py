"""How a route is registered: with the scope that it needs, what it takes, and every answer that it can give."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel
from werkzeug.routing import BaseConverter

from receiver.access import Scope

from .problems import Kind
from .reading import models_of, reading

PREFIX = "/api/v1"
METRICS = "/metrics"
"""Where Prometheus looks for them: outside the API, and behind the same gate."""
SECURITY = "key"
_SCOPE, _MEDIA, _PUBLIC = "required_scope", "body_media", "is_public"
_JSON = "application/json"

# What any route may answer, what those with a body, and what others say of themselves.
_ALWAYS, _WITH_BODY = (400, 401, 403, 422, 429, 500, 503), (413, 415)


class PhoneConverter(BaseConverter):
    """A phone in a path: any part of it, but not the names of what can be done with phones."""

    regex = "(?!(?:check|export|import)$)[^/]+"


CONVERTERS = {"phone": PhoneConverter}
"""What rules may name besides the framework's own."""

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
# An answer: the model of its JSON; None where it has no body; or for any other body an OpenAPI Response Object.
Answer = type[BaseModel] | Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Declared:
    """What is known of a route besides its address: for the document (``schemas``)."""

    operation_id: str
    models: Mapping[str, type[BaseModel]]
    answers: Mapping[int, Answer]
    problems: tuple[int | Kind, ...]
    content: Mapping[str, Any] = field(default_factory=dict)
    """By media type what a body may be that its view reads itself."""


class Routes:
    """The routes of one subject below ``PREFIX``.

    ``answers`` of a route: by status an ``Answer``; what can go wrong besides the usual is named in ``problems``, by
    status or kind; ``content`` has an OpenAPI Media Type Object for each type of a body that is no model, and which the
    view reads from the request; ``extra`` is added to the description, which is the docstring's.
    """

    def __init__(self, name: str, description: str) -> None:
        self.blueprint = APIBlueprint(
            name.lower().replace(" ", "_").replace("-", "_"),
            __name__,
            url_prefix=PREFIX,
            abp_tags=[Tag(name=name, description=description)],
        )
        self.declared: list[Declared] = []

    def get(self, rule: str, **declared: Any) -> Decorator:
        return self._route("GET", rule, **declared)

    def post(self, rule: str, **declared: Any) -> Decorator:
        return self._route("POST", rule, **declared)

    def put(self, rule: str, **declared: Any) -> Decorator:
        return self._route("PUT", rule, **declared)

    def delete(self, rule: str, **declared: Any) -> Decorator:
        return self._route("DELETE", rule, **declared)

    def _route(
        self,
        method: str,
        rule: str,
        *,
        scope: Scope,
        answers: Mapping[int, Answer],
        problems: tuple[int | Kind, ...] = (),
        content: Mapping[str, Any] | None = None,
        extra: str = "",
    ) -> Decorator:
        def register(view: Callable[..., Any]) -> Callable[..., Any]:
            models = models_of(view)
            media = (_JSON,) if "body" in models else tuple(content or ())
            wrong = (*_ALWAYS, *(_WITH_BODY if media else ()), *problems)
            self.declared.append(Declared(view.__name__, models, answers, wrong, content or {}))
            summary, _, rest = (view.__doc__ or "").strip().partition("\n")
            paragraphs = [" ".join(paragraph.split()) for paragraph in rest.split("\n\n")]
            paragraphs = [*filter(None, paragraphs), *filter(None, [extra.strip()]), f"Needs the scope `{scope}`."]
            read = reading(view)
            needs(scope)(read)
            setattr(read, _MEDIA, media)
            registered: Callable[..., Any] = getattr(self.blueprint, method.lower())(
                rule,
                operation_id=view.__name__,
                summary=summary.rstrip("."),
                description="\n\n".join(paragraphs),
                security=[{SECURITY: []}],
                openapi_extensions={"x-scope": scope.value},
            )(read)
            return registered

        return register


def needs(scope: Scope) -> Decorator:
    """Say which scope a view needs."""

    def say(view: Callable[..., Any]) -> Callable[..., Any]:
        setattr(view, _SCOPE, scope)
        return view

    return say


def scope_of(view: Any) -> Scope | None:
    """The scope that a view function was registered with; None for one that was registered otherwise."""
    return getattr(view, _SCOPE, None)


def public(view: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a view below ``PREFIX`` that needs no key: it shows nothing of anybody's."""
    setattr(view, _PUBLIC, True)
    return view


def is_public(view: Any) -> bool:
    """Whether a view function was marked so."""
    return bool(getattr(view, _PUBLIC, False))


def body_media(view: Any) -> tuple[str, ...]:
    """The media types of which a view function reads a body; none where it takes no body."""
    found: tuple[str, ...] = getattr(view, _MEDIA, ())
    return found


__all__ = [
    "CONVERTERS",
    "METRICS",
    "PREFIX",
    "SECURITY",
    "Answer",
    "Declared",
    "Routes",
    "body_media",
    "is_public",
    "needs",
    "public",
    "scope_of",
]

"""How a route is registered: with the scope that it needs, and every answer that it can give."""

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel

from receiver.access import Scope

from .problems import MEDIA_TYPE, Problem

PREFIX = "/api/v1"
SECURITY = "key"
_SCOPE, _BODY, _PUBLIC = "required_scope", "takes_body", "is_public"
_REF = {"$ref": "#/components/schemas/Problem"}

_RATE_HEADERS: dict[str, Any] = {
    "RateLimit": {
        "description": "What is left of the limits: requests (r) and seconds until it is whole again (t)",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "The limits: requests (q) within seconds (w)",
        "schema": {"type": "string"},
    },
    "X-Request-Id": {"description": "What the log has it under", "schema": {"type": "string"}},
}
_RETRY = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}}}
_CHALLENGE = {"WWW-Authenticate": {"description": "How to authenticate", "schema": {"type": "string"}}}


def problem(description: str, headers: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A problem document as one of a route's answers."""
    return {
        "description": description,
        "headers": {**_RATE_HEADERS, **(headers or {})},
        "content": {MEDIA_TYPE: {"schema": _REF}},
    }


_ALWAYS: dict[int, Any] = {
    400: problem("The request can't be read"),
    401: problem("There is no valid key", _CHALLENGE),
    403: problem("The key lacks the scope"),
    422: problem("Something in the request can't be used"),
    429: problem("Too many requests", _RETRY),
    503: problem("The database can't be used now", _RETRY),
}
_WITH_BODY: dict[int, Any] = {413: problem("The body is too large"), 415: problem("The body is no JSON")}
_OTHERS = {
    404: "There is no such thing",
    409: "It contradicts what is stored",
    502: "The gateway refused, or can't be understood",
}

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Routes:
    """The routes of one subject below ``PREFIX``.

    ``answers`` of a route: by status a model, or None for one without a body; what can go wrong besides the usual is
    named in ``problems``, by status.
    """

    def __init__(self, name: str, description: str) -> None:
        self.blueprint = APIBlueprint(
            name.lower().replace(" ", "_").replace("-", "_"),
            __name__,
            url_prefix=PREFIX,
            abp_tags=[Tag(name=name, description=description)],
        )

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
        answers: Mapping[int, Any],
        problems: tuple[int, ...] = (),
        **options: Any,
    ) -> Decorator:
        responses = {
            **{status: _answer(model, self.blueprint) for status, model in answers.items()},
            **_ALWAYS,
            **(_WITH_BODY if method in ("POST", "PUT") else {}),
            **{status: problem(_OTHERS[status]) for status in problems},
        }
        description = options.pop("extra", "")

        def register(view: Callable[..., Any]) -> Callable[..., Any]:
            setattr(view, _SCOPE, scope)
            setattr(view, _BODY, "body" in signature(view).parameters)
            summary, _, rest = (view.__doc__ or "").strip().partition("\n")
            registered: Callable[..., Any] = getattr(self.blueprint, method.lower())(
                rule,
                operation_id=view.__name__,
                summary=summary.rstrip("."),
                description=f"{' '.join(rest.split())}{description}\n\nNeeds the scope `{scope}`.".strip(),
                responses=responses,
                security=[{SECURITY: []}],
                openapi_extensions={"x-scope": scope.value},
                **options,
            )(view)
            return registered

        return register


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


def takes_body(view: Any) -> bool:
    """Whether a view function reads a body of JSON."""
    return bool(getattr(view, _BODY, False))


def _answer(model: Any, blueprint: APIBlueprint) -> dict[str, Any]:
    if model is None:
        return {"description": "Done", "headers": _RATE_HEADERS}
    if isinstance(model, dict):
        return {**model, "headers": {**_RATE_HEADERS, **model.get("headers", {})}}
    return {
        "description": (model.__doc__ or "").strip().partition("\n")[0],
        "headers": _RATE_HEADERS,
        "content": {"application/json": {"schema": _reference(model, blueprint)}},
    }


def _reference(model: type[BaseModel], blueprint: APIBlueprint) -> dict[str, str]:
    """Where the document has the schema of an answer's model, which is put there."""
    from flask_openapi3.models import Schema
    from flask_openapi3.utils import normalize_name

    schema = model.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    name = normalize_name(schema.get("title") or model.__name__)
    for each, definition in schema.pop("$defs", {}).items():
        blueprint.components_schemas[normalize_name(each)] = Schema(**definition)
    blueprint.components_schemas[name] = Schema(**schema)
    return {"$ref": f"#/components/schemas/{name}"}


__all__ = ["PREFIX", "SECURITY", "Problem", "Routes", "is_public", "problem", "public", "scope_of", "takes_body"]

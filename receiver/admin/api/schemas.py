"""The OpenAPI document made whole: schemas as pydantic writes them, every answer with its headers, and examples.

The framework's own copy of JSON Schema has no examples and closes no object; it gives the addresses and operations.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from .examples import example
from .problems import KINDS, MEDIA_TYPE, REUSED_KEY, Kind, Problem, document_of
from .routes import Answer, Declared

_AT = "#/components/schemas/"
_GENERIC = re.compile(r"([A-Za-z]+)\[([A-Za-z]+)\]")
_IN = {"path": "path", "query": "query", "header": "header"}

_COUNTED = {
    "RateLimit": {
        "description": "What is left of each limit: requests (`r`), and seconds until all are back (`t`)",
        "schema": {"type": "string"},
        "example": '"address";r=1199;t=60, "key";r=599;t=60',
    },
    "RateLimit-Policy": {
        "description": "Each limit: requests (`q`) within seconds (`w`)",
        "schema": {"type": "string"},
        "example": '"address";q=1200;w=60, "key";q=600;w=60',
    },
    "X-Request-Id": {
        "description": "What the log has it under",
        "schema": {"type": "string"},
        "example": "5f0c9a1b2e3d4c5b",
    },
}
_RETRY = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}, "example": 2}}
_CHALLENGE = {
    "WWW-Authenticate": {"description": "How to authenticate", "schema": {"type": "string"}, "example": "Bearer"}
}
_RARE = (REUSED_KEY,)
_MORE_HEADERS: dict[int, dict[str, Any]] = {401: _CHALLENGE, 429: _RETRY, 503: _RETRY}


class Schemas:
    """The schemas of all models that routes declare, each once."""

    def __init__(self, declared: Iterable[Declared]) -> None:
        wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(Problem, "serialization"): None}
        for route in declared:
            wanted |= {(model, "validation"): None for model in route.models.values()}
            wanted |= {(answer, "serialization"): None for answer in route.answers.values() if isinstance(answer, type)}
        references, written = models_json_schema(list(wanted), ref_template=_AT + "{model}")
        names = _names(written["$defs"])
        self.definitions = {names[name]: _tidy(each, names) for name, each in written["$defs"].items()}
        self._references = {key: _tidy(each, names) for key, each in references.items()}

    def reference(self, model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
        found: dict[str, Any] = self._references[model, mode]
        return found

    def taken_apart(self, model: type[BaseModel]) -> dict[str, Any]:
        """The schema of a model whose fields are parameters."""
        schema: dict[str, Any] = self.definitions[self.reference(model, "validation")["$ref"].removeprefix(_AT)]
        return schema

    def example(self, schema: Mapping[str, Any], *, brief: bool = False) -> Any:
        return example(schema, self.definitions, brief=brief)


def _names(definitions: Mapping[str, Any]) -> dict[str, str]:
    """What each schema is called: by its title, where that is one schema's alone; ``Page[Key]`` is a KeyPage."""
    titled = {name: schema.get("title", name) for name, schema in definitions.items() if "[" not in schema["title"]}
    taken = Counter(titled.values())
    names = {name: title if title.isalnum() and taken[title] == 1 else name for name, title in titled.items()}
    for name, schema in definitions.items():
        if generic := _GENERIC.fullmatch(schema["title"]):
            names[name] = names.get(generic[2], generic[2]) + generic[1]
    return names


def _tidy(schema: Any, names: Mapping[str, str], *, is_names: bool = False) -> Any:
    """``schema`` with references by ``names``, without the titles that pydantic makes of all names."""
    if isinstance(schema, list):
        return [_tidy(each, names) for each in schema]
    if not isinstance(schema, dict):
        return schema
    tidied = {}
    for key, value in schema.items():
        if not is_names and key == "title":
            continue
        if key == "$ref" and not is_names:
            value = _AT + names[value.removeprefix(_AT)]
        elif key == "description" and isinstance(value, str):
            value = " ".join(value.replace("``", "`").split())
        tidied[key] = _tidy(value, names, is_names=key == "properties" and not is_names)
    return tidied


def complete(document: dict[str, Any], declared: Iterable[Declared]) -> dict[str, Any]:
    """The framework's ``document`` made whole, by what its routes have ``declared``."""
    known = {route.operation_id: route for route in declared}
    schemas = Schemas(known.values())
    for item in document["paths"].values():
        for operation in item.values():
            route = known[operation["operationId"]]
            operation.pop("parameters", None)
            if parameters := [each for place in _IN for each in _parameters(route, place, schemas)]:
                operation["parameters"] = parameters
            if "body" in route.models:
                reference = schemas.reference(route.models["body"], "validation")
                content = {"schema": reference, "example": schemas.example(reference)}
                operation["requestBody"] = {"required": True, "content": {"application/json": content}}
            elif route.content:
                operation["requestBody"] = {"required": True, "content": dict(route.content)}
            operation["responses"] = {
                **{str(status): _answer(answer, schemas) for status, answer in sorted(route.answers.items())},
                **{str(status): problem(kinds) for status, kinds in sorted(_by_status(route.problems).items())},
            }
    document["components"]["schemas"] = _referred_to(document["paths"], schemas.definitions)
    return document


def problem(kinds: Sequence[Kind]) -> dict[str, Any]:
    """Problem documents of one status as one of a route's answers."""
    return {
        "description": ". ".join(kind.title for kind in kinds),
        "headers": {**_COUNTED, **_MORE_HEADERS.get(kinds[0].status, {})},
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": f"{_AT}{Problem.__name__}"},
                "examples": {kind.name: {"summary": kind.title, "value": example_of(kind)} for kind in kinds},
            }
        },
    }


def _by_status(problems: Iterable[int | Kind]) -> dict[int, list[Kind]]:
    """The kinds of problems, by status; a status alone stands for all its kinds but those that few routes have."""
    kinds = {each for each in problems if isinstance(each, Kind)}
    kinds |= {kind for kind in KINDS if kind.status in problems and kind not in _RARE}
    ordered = sorted(kinds, key=KINDS.index)
    return {status: [kind for kind in ordered if kind.status == status] for status in {kind.status for kind in kinds}}


def example_of(kind: Kind) -> dict[str, Any]:
    """How a problem of this kind may look."""
    errors = [("since", "the time names no zone")] if kind.name == "invalid" else []
    detail = "; ".join(": ".join(error) for error in errors) or kind.advice
    return document_of(kind, detail, errors, "5f0c9a1b2e3d4c5b")


def _answer(answer: Answer, schemas: Schemas) -> dict[str, Any]:
    if answer is None:
        return {"description": "Done", "headers": _COUNTED}
    if isinstance(answer, Mapping):
        return {**answer, "headers": {**_COUNTED, **answer.get("headers", {})}}
    reference = schemas.reference(answer, "serialization")
    return {
        "description": _first_line(answer),
        "headers": _COUNTED,
        "content": {"application/json": {"schema": reference, "example": schemas.example(reference, brief=True)}},
    }


def _first_line(model: type[BaseModel]) -> str:
    # A model that is made of a generic one, as Page[Message], has none of its own.
    docs = (each.__doc__ for each in model.__mro__ if each not in BaseModel.__mro__)
    return next((doc.strip().partition("\n")[0].rstrip(".") for doc in docs if doc), "")


def _parameters(route: Declared, place: str, schemas: Schemas) -> Iterable[dict[str, Any]]:
    if place not in route.models:
        return
    whole = schemas.taken_apart(route.models[place])
    for name, schema in whole.get("properties", {}).items():
        schema = _without_null(schema)
        parameter = {
            "name": name.replace("_", "-") if place == "header" else name,
            "in": _IN[place],
            "required": place == "path" or name in whole.get("required", ()),
            "schema": schema,
        }
        if description := schema.pop("description", None):
            parameter["description"] = description
        if parameter["required"] or "examples" in schema:
            parameter["example"] = schemas.example(schema)
        yield parameter


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter that may be left out: null can't be written in its place."""
    kept = dict(schema)
    if "anyOf" in kept:
        others = [each for each in kept.pop("anyOf") if each != {"type": "null"}]
        kept = {**others[0], **kept} if len(others) == 1 else {**kept, "anyOf": others}
    if kept.get("default", ...) is None:
        del kept["default"]
    return kept


def _referred_to(paths: Any, definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``definitions`` that ``paths`` lead to."""
    found: dict[str, Any] = {}
    to_see = [paths]
    while to_see:
        seen = to_see.pop()
        if isinstance(seen, list):
            to_see += seen
        elif isinstance(seen, dict):
            name = seen.get("$ref", "").removeprefix(_AT) if isinstance(seen.get("$ref"), str) else ""
            if name and name not in found:
                found[name] = definitions[name]
                to_see.append(definitions[name])
            to_see += seen.values()
    return dict(sorted(found.items()))

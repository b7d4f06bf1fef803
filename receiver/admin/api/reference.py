"""The API reference as a page shows it: each operation with what it takes, what it answers, and a call to copy."""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

# Parameters of a query that an example has at most; some make no sense there.
_SHOWN_PARAMETERS, _NOT_SHOWN = 3, {"cursor", "until", "after"}
# How deep fields within fields are told.
_DEEPEST = 6


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a request or an answer. ``name`` has the way to it, as ``items[].id``."""

    name: str
    type: str
    is_required: bool
    description: str
    choices: tuple[str, ...] = ()
    default: str | None = None

    @property
    def depth(self) -> int:
        return self.name.count(".")


@dataclass(frozen=True, slots=True)
class Content:
    """A body: its media type, its values, and how it may look."""

    media_type: str
    fields: tuple[Field, ...]
    example: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    status: str
    description: str
    headers: tuple[tuple[str, str], ...]
    contents: tuple[Content, ...]
    kinds: tuple[str, ...]
    """The problems that it may be, by name."""

    @property
    def is_success(self) -> bool:
        return self.status < "400"


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    method: str
    path: str
    summary: str
    paragraphs: tuple[str, ...]
    scope: str
    parameters: Mapping[str, tuple[Field, ...]]
    """By their place: path, query, header."""
    body: Content | None
    answers: tuple[Answer, ...]
    call: str
    """A command that does it."""


@dataclass(frozen=True, slots=True)
class Subject:
    name: str
    description: str
    operations: tuple[Operation, ...]

    @property
    def anchor(self) -> str:
        return "".join(letter if letter.isalnum() else "-" for letter in self.name.lower())


def subjects(document: Mapping[str, Any], base: str) -> list[Subject]:
    """What ``document`` describes, by tag. ``base`` is the address that calls are made to."""
    definitions = document["components"]["schemas"]
    by_tag: dict[str, list[Operation]] = {tag["name"]: [] for tag in document["tags"]}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            by_tag[operation["tags"][0]].append(_operation(method.upper(), path, operation, definitions, base))
    return [
        Subject(tag["name"], tag.get("description", ""), tuple(by_tag[tag["name"]]))
        for tag in document["tags"]
        if by_tag[tag["name"]]
    ]


def _operation(method: str, path: str, operation: Mapping[str, Any], definitions: Any, base: str) -> Operation:
    given = operation.get("parameters", [])
    parameters = {
        place: tuple(_parameter(each, definitions) for each in given if each["in"] == place)
        for place in ("path", "query", "header")
    }
    contents = _contents(operation.get("requestBody", {}), definitions)
    return Operation(
        operation["operationId"],
        method,
        path,
        operation["summary"],
        # The last paragraph says the scope, which is shown by itself.
        tuple(operation["description"].split("\n\n")[:-1]),
        operation["x-scope"],
        {place: fields for place, fields in parameters.items() if fields},
        contents[0] if contents else None,
        tuple(_answer(status, answer, definitions) for status, answer in operation["responses"].items()),
        _call(method, path, operation, base),
    )


def _answer(status: str, answer: Mapping[str, Any], definitions: Any) -> Answer:
    problems = answer.get("content", {}).get("application/problem+json", {})
    return Answer(
        status,
        answer["description"],
        tuple((name, header.get("description", "")) for name, header in answer.get("headers", {}).items()),
        _contents(answer, definitions) if not problems else (),
        tuple(problems.get("examples", {})),
    )


def _contents(body: Mapping[str, Any], definitions: Any) -> tuple[Content, ...]:
    found = []
    for media_type, media in body.get("content", {}).items():
        schema = media.get("schema", {})
        example = media.get("example", next((each["value"] for each in media.get("examples", {}).values()), None))
        written = example if isinstance(example, str) or example is None else pretty(example)
        found.append(Content(media_type, tuple(_fields(schema, definitions)), written))
    return tuple(found)


def pretty(value: Any) -> str:
    """JSON for people."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def _parameter(parameter: Mapping[str, Any], definitions: Any) -> Field:
    schema = {**_resolved(parameter["schema"], definitions), "description": parameter.get("description", "")}
    return _field(parameter["name"], schema, parameter.get("required", False), definitions)


def _fields(schema: Mapping[str, Any], definitions: Any, at: str = "", depth: int = 0) -> Iterator[Field]:
    """The values inside an object or a list of objects, each followed by its own."""
    schema = _resolved(schema, definitions)
    if depth > _DEEPEST:
        return
    if schema.get("type") == "array" and "items" in schema:
        yield from _fields(schema["items"], definitions, f"{at}[]", depth + 1)
        return
    for choice in schema.get("anyOf", ()):
        yield from _fields(choice, definitions, at, depth + 1)
    for name, inner in schema.get("properties", {}).items():
        way = f"{at}.{name}" if at else name
        resolved = {**_resolved(inner, definitions), **{key: inner[key] for key in ("description",) if key in inner}}
        yield _field(way, resolved, name in schema.get("required", ()), definitions)
        yield from _fields(inner, definitions, way, depth + 1)


def _field(name: str, schema: Mapping[str, Any], is_required: bool, definitions: Any) -> Field:
    choices = _choices(schema, definitions)
    default = schema.get("default")
    return Field(
        name,
        _type(schema, definitions),
        is_required,
        schema.get("description", ""),
        tuple(map(str, choices)),
        None if default is None else json.dumps(default, ensure_ascii=False),
    )


def _choices(schema: Mapping[str, Any], definitions: Any) -> list[Any]:
    schema = _resolved(schema, definitions)
    inner = [*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else [])]
    found: list[Any] = schema.get("enum", [])
    return found or next((choices for each in inner if (choices := _choices(each, definitions))), [])


def _type(schema: Mapping[str, Any], definitions: Any) -> str:
    """A type in a few words: ``list of uuid``, ``integer, 1 to 500``, ``string or null``."""
    schema = _resolved(schema, definitions)
    if choices := schema.get("anyOf"):
        return " or ".join(dict.fromkeys(_type(each, definitions) for each in choices))
    match schema.get("type"):
        case "array":
            inner = _type(schema.get("items", {}), definitions).partition(",")[0]
            return f"list of {inner}{_bounds(schema, 'minItems', 'maxItems')}"
        case "integer" | "number" as kind:
            return f"{kind}{_bounds(schema, 'minimum', 'maximum')}"
        case "string":
            bounds = _bounds(schema, "minLength", "maxLength", " characters")
            return f"{schema.get('format', 'string')}{bounds}"
        case str(kind):
            return kind
    return "anything"


def _bounds(schema: Mapping[str, Any], least: str, most: str, unit: str = "") -> str:
    low, high = schema.get(least), schema.get(most)
    if low is None and high is None:
        return ""
    if high is None:
        return f", {low}{unit} at least"
    return f", {low:,} to {high:,}{unit}" if low is not None else f", {high:,}{unit} at most"


def _resolved(schema: Mapping[str, Any], definitions: Any) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = definitions[schema["$ref"].rpartition("/")[2]]
    return found


def _call(method: str, path: str, operation: Mapping[str, Any], base: str) -> str:
    """A curl command that does it, with the key in ``$KEY``."""
    given = operation.get("parameters", [])
    values = {each["name"]: str(each["example"]) for each in given if each["in"] == "path"}
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    query = [each for each in given if each["in"] == "query" and "example" in each and each["name"] not in _NOT_SHOWN]
    query = [each for each in query if each.get("required")] or query[:_SHOWN_PARAMETERS]
    media = next((list(a["content"]) for s, a in operation["responses"].items() if s < "300" and "content" in a), [])
    words = ["curl"]
    if query and "requestBody" in operation:  # -G would make a query of the body too
        path += "?" + urlencode([(each["name"], each["example"]) for each in query])
        query = []
    if query:
        words.append("-G")
    elif method != "GET":
        words.append(f"-X {method}")
    if media == ["text/event-stream"]:
        words.append("-N")
    elif media and "application/json" not in media:
        words.append("-OJ")
    lines = [" ".join([*words, shlex.quote(base + path)]), '-H "Authorization: Bearer $KEY"']
    headers = [each for each in given if each["in"] == "header" and "example" in each]
    lines += [f"-H {shlex.quote(each['name'] + ': ' + str(each['example']))}" for each in headers]
    lines += [f"--data-urlencode {shlex.quote(each['name'] + '=' + str(each['example']))}" for each in query]
    if "requestBody" in operation:
        kind, media = next(iter(operation["requestBody"]["content"].items()))
        body = media.get("example")
        lines.append(f"-H 'Content-Type: {kind}'")
        written = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        lines.append(f"--data-binary {shlex.quote(written)}" if isinstance(body, str) else f"-d {shlex.quote(written)}")
    if query and method != "GET":
        lines[0] = lines[0].replace("curl -G", f"curl -G -X {method}")
    return " \\\n  ".join(lines)

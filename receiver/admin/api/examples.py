"""Examples for the OpenAPI document, put together from those that each field gives."""

from collections.abc import Mapping
from typing import Any

_BY_FORMAT = {
    "uuid": "0197b7a2-7b7a-7b7a-8b7a-7b7a7b7a7b7a",
    "date-time": "2026-06-03T09:00:00.000000Z",
    "date": "2026-06-03",
}


# Where a text gives no example of itself; a test finds it.
MISSING = "…"


def example(schema: Mapping[str, Any], definitions: Mapping[str, Any], *, brief: bool = False) -> Any:
    """A value of ``schema``: its own example, or one made of its parts'.

    ``brief``: what may be null is, unless it gives an example of itself, as it is in most answers.
    """
    for given in ("examples", "enum"):
        if given in schema:
            return schema[given][0]
    for given in ("example", "const"):
        if given in schema:
            return schema[given]
    if "$ref" in schema:
        return example(definitions[schema["$ref"].rpartition("/")[2]], definitions, brief=brief)
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        if brief and {"type": "null"} in choices:
            return None
        found = (example(choice, definitions, brief=brief) for choice in choices)
        return next(value for value in found if value != MISSING)
    match schema.get("type"):
        case "object":
            parts = schema.get("properties", {})
            return {name: example(part, definitions, brief=brief) for name, part in parts.items()}
        case "array":
            return [example(schema["items"], definitions, brief=brief)] if "items" in schema else []
        case "string":
            return _BY_FORMAT.get(schema.get("format", ""), MISSING)
        case "boolean":
            return schema.get("default", True)
        case "integer" | "number":
            return schema.get("default") or schema.get("minimum", 1)
        case "null":
            return None
    return MISSING

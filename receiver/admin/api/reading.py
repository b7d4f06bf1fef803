"""What a request says, as the models of its view have it: exactly, with nothing guessed and nothing ignored."""

import json
import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, get_type_hints

from flask import request
from pydantic import BaseModel, ConfigDict, ValidationError

from .problems import BAD_REQUEST, Rejected, invalid, of_validation

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_BOOLEANS = {"true": True, "false": False}

View = Callable[..., Any]
Model = type[BaseModel]
# The parts of a request, by the names that views give their parameters.
PARTS = ("path", "query", "header", "body")


def models_of(view: View) -> dict[str, Model]:
    """The models that ``view`` takes, by the part of the request that each reads."""
    hints = get_type_hints(view)
    return {part: hints[part] for part in PARTS if part in hints}


def reading(view: View) -> View:
    """``view``, called with what the request says. Raises what makes it a problem: 400 or 422.

    The framework would do so too, but takes the first of a parameter that is given twice, "yes" for true, "5.0" for 5,
    reads JSON that stands in a JSON string, and works out each model's schema for every request.
    """
    models = models_of(view)
    readers: dict[str, Callable[[Mapping[str, Any]], BaseModel]] = {}
    if "path" in models:
        readers["path"] = _Written(models["path"]).of_path
    readers["query"] = _Written(models.get("query", _Nothing)).of_query
    if "header" in models:
        readers["header"] = _Written(models["header"]).of_headers
    if "body" in models:
        body = models["body"]
        readers["body"] = lambda _: _body(body)

    @wraps(view)
    def read(**path: Any) -> Any:
        try:
            said = {part: reader(path) for part, reader in readers.items()}
        except ValidationError as wrong:
            return of_validation(wrong)
        return view(**{part: said[part] for part in models})

    # To the framework it is a view that takes nothing: it reads nothing, and describes nothing (schemas does).
    read.__annotations__ = {}
    read.__delay_validate_request__ = True  # type: ignore[attr-defined]
    return read


class _Nothing(BaseModel):
    """The query of a view that takes none."""

    model_config = ConfigDict(extra="forbid")


class _Written:
    """A model whose values are written as text: in a path, a query or headers."""

    def __init__(self, model: Model) -> None:
        self._model = model
        schema = model.model_json_schema()
        definitions = schema.get("$defs", {})
        self._types = {name: _type(each, definitions) for name, each in schema.get("properties", {}).items()}

    def of_path(self, path: Mapping[str, Any]) -> BaseModel:
        return self._valid({name: self._value(name, str(value)) for name, value in path.items()})

    def of_query(self, _: Mapping[str, Any]) -> BaseModel:
        said: dict[str, Any] = {}
        for name, values in request.args.lists():
            if self._types.get(name) == "array":
                said[name] = values
            elif len(values) > 1:
                raise invalid(name, "it is given more than once: give it once")
            else:
                said[name] = self._value(name, values[0])
        return self._valid(said)

    def of_headers(self, _: Mapping[str, Any]) -> BaseModel:
        given = ((name, request.headers.get(name)) for name in self._types)
        return self._valid({name: self._value(name, value) for name, value in given if value is not None})

    def _value(self, name: str, written: str) -> Any:
        # What isn't written as its type stays text, and is refused by the model in its own words.
        match self._types.get(name):
            case "integer" if _INTEGER.fullmatch(written):
                return int(written)
            case "boolean":
                return _BOOLEANS.get(written, written)
        return written

    def _valid(self, said: Mapping[str, Any]) -> BaseModel:
        return self._model.model_validate_json(json.dumps(said), strict=True)


def _body(model: Model) -> BaseModel:
    try:
        return model.model_validate_json(request.get_data(), strict=True)
    except ValidationError as wrong:
        if any(error["type"] == "json_invalid" for error in wrong.errors(include_input=False, include_url=False)):
            raise Rejected(BAD_REQUEST, "the body is no JSON that can be read: send valid JSON in UTF-8") from None
        raise


def _type(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str | None:
    """The type of a value, where null is left out: it can't be written in these places."""
    if "$ref" in schema:
        return _type(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    found = [_type(each, definitions) for each in schema.get("anyOf", [])] or [schema.get("type")]
    return next((each for each in found if each != "null"), None)

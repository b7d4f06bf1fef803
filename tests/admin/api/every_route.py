"""Every route of the API, as it is registered and as the document describes it: what is new is covered by itself."""

import re
from dataclasses import dataclass
from typing import Any

from flask_openapi3 import OpenAPI

from receiver import create_admin_app
from receiver.access import Scope
from receiver.admin.api.routes import PREFIX, is_public, scope_of, takes_body
from receiver.config import Settings

PARAMETER = re.compile(r"<(?:([^:>]+):)?([^>]+)>")


@dataclass(frozen=True)
class Route:
    """One method at one address. ``example`` is its body, ``parameters`` are those of the document."""

    method: str
    rule: str
    scope: Scope | None
    is_public: bool
    takes_body: bool
    parameters: tuple[dict[str, Any], ...]
    example: Any

    def __str__(self) -> str:
        return f"{self.method} {self.rule}"

    def path(self, **values: str) -> str:
        """Its address with ``values``, and the document's examples in other places."""
        examples = {each["name"]: str(each["example"]) for each in self.parameters if each["in"] == "path"}
        return PARAMETER.sub(lambda found: {**examples, **values}[found[2]], self.rule)


def app() -> OpenAPI:
    """The admin side's application; no database is there."""
    made = create_admin_app(Settings(database_url="sqlite:////nowhere/receiver.db"))
    assert isinstance(made, OpenAPI)
    return made


def document() -> dict[str, Any]:
    found: dict[str, Any] = app().test_client().get(f"{PREFIX}/openapi.json").get_json()
    return found


def routes_of(registered: OpenAPI, described: dict[str, Any]) -> list[Route]:
    """Every route below ``PREFIX`` that ``registered`` answers."""
    found = []
    for rule in registered.url_map.iter_rules():
        if not rule.rule.startswith(f"{PREFIX}/"):
            continue
        view = registered.view_functions[rule.endpoint]
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            item = described["paths"].get(PARAMETER.sub(r"{\2}", rule.rule), {})
            operation = item.get(method.lower(), {})
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            found.append(
                Route(
                    method,
                    rule.rule,
                    scope_of(view),
                    is_public(view),
                    takes_body(view),
                    tuple(operation.get("parameters", ())),
                    body.get("example"),
                )
            )
    return found


ROUTES = routes_of(app(), document())
"""Every route of the API."""

"""Every route of the API, as it is registered and as the document describes it: what is new is covered by itself."""

import json
import re
from dataclasses import dataclass
from typing import Any

from flask_openapi3 import OpenAPI

from receiver import create_admin_app
from receiver.access import Scope
from receiver.admin.api.routes import PREFIX, body_media, is_public, scope_of
from receiver.config import Settings

PARAMETER = re.compile(r"<(?:([^:>]+):)?([^>]+)>")


@dataclass(frozen=True)
class Route:
    """One method at one address. ``parameters`` are those of the document, ``example`` is its body: text where that is
    of the media type ``media`` and no JSON. Both are None where it takes none.
    """

    method: str
    rule: str
    scope: Scope | None
    is_public: bool
    media: str | None
    parameters: tuple[dict[str, Any], ...]
    example: Any

    def __str__(self) -> str:
        return f"{self.method} {self.rule}"

    @property
    def body(self) -> bytes | None:
        """Its example, as it is sent."""
        if self.media is None:
            return None
        is_json = self.media == "application/json"
        return (json.dumps(self.example, ensure_ascii=False) if is_json else str(self.example)).encode()

    @property
    def content_type(self) -> bytes:
        """The header that goes with ``body``; some other one where there is none."""
        return b"Content-Type: " + (self.media or "application/json").encode()

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
            media = next(iter(body_media(view)), None)
            body = operation.get("requestBody", {}).get("content", {}).get(media, {})
            found.append(
                Route(
                    method,
                    rule.rule,
                    scope_of(view),
                    is_public(view),
                    media,
                    tuple(operation.get("parameters", ())),
                    body.get("example"),
                )
            )
    return found


ROUTES = routes_of(app(), document())
"""Every route of the API."""

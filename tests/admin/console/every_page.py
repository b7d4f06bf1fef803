"""Every page of the console as it is registered: what is new is covered by itself."""

import re
from dataclasses import dataclass
from uuid import UUID

from flask import Flask

from receiver.admin.api.routes import METRICS
from receiver.admin.console.routes import Needs, needs_of
from tests.admin.api.every_route import app

PARAMETER = re.compile(r"<(?:([^:>]+):)?([^>]+)>")
# A stream goes on for as long as somebody watches; one of what can't be chosen ends at once.
_QUERIES = {"/replies/live": "?kind=none"}
_EXAMPLES = {"uuid": str(UUID(int=0)), "int": "1"}


@dataclass(frozen=True)
class Registered:
    """One method at one address."""

    method: str
    rule: str
    needs: Needs | None

    def __str__(self) -> str:
        return f"{self.method} {self.rule}"

    @property
    def path(self) -> str:
        """Its address, with what is nobody's in its places."""
        path = PARAMETER.sub(lambda found: _EXAMPLES.get(found[1] or "", "none"), self.rule)
        return path + _QUERIES.get(path, "")


def pages_of(registered: Flask) -> list[Registered]:
    """Everything that ``registered`` answers, but for the API, metrics and static files."""
    return [
        Registered(method, rule.rule, needs_of(registered.view_functions[rule.endpoint]))
        for rule in registered.url_map.iter_rules()
        if not rule.rule.startswith("/api/") and rule.rule != METRICS and rule.endpoint != "static"
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


PAGES = sorted(pages_of(app()), key=str)
"""Every page of the console."""

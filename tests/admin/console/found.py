"""Every page of a running console as somebody finds it: those with a parameter by a link on another page.

Of the few first links to a page the one is taken that has most to show. So a new page is found without being named.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from receiver.admin.console.cookies import LOCALE, SESSION
from receiver.admin.console.routes import Who, needs_of
from tests.admin.api.every_route import app
from tests.admin.console.every_page import pages_of
from tests.admin.console.visitor import Shown, Visitor

# Links to the same page that are looked at.
_EXAMPLES = 6
_LINK = re.compile(r'<a\s[^>]*?href="(/[^"#]*)')
# What an open connection hands out bit by bit.
_ENDLESS = ("stream", "events", "live", "tail")
# What is saved, and not shown.
_SAVED = ("download",)


@dataclass(frozen=True)
class Page:
    """A page with an address that shows it. ``member``: it is for who is logged in."""

    endpoint: str
    path: str
    member: bool

    @property
    def name(self) -> str:
        return self.endpoint.removeprefix("console.")


class Found:
    """The pages that somebody with the cookie ``session`` finds, who also knows the addresses ``known``."""

    def __init__(self, port: int, session: str, known: Sequence[str] = ()) -> None:
        self._flask: Flask = app()
        self._urls = self._flask.url_map.bind("127.0.0.1")
        self._rules = [page.rule for page in pages_of(self._flask) if page.method == "GET"]
        self._inside = Visitor(port, {SESSION: session, LOCALE: "en"})
        self._outside = Visitor(port)
        self._size: dict[tuple[str, str], int] = {}
        self._walk([rule for rule in self._rules if "<" not in rule] + list(known))

    def pages(self) -> list[Page]:
        """One for each endpoint, by name."""
        best: dict[str, str] = {}
        for (endpoint, path), size in self._size.items():
            if endpoint not in best or size > self._size[endpoint, best[endpoint]]:
                best[endpoint] = path
        return [Page(endpoint, path, self._is_for_members(endpoint)) for endpoint, path in sorted(best.items())]

    def missing(self) -> list[str]:
        """The rules with a parameter to which no link leads."""
        reached = {self._urls.match(path, return_rule=True)[0].rule for _, path in self._size}
        return [rule for rule in self._rules if "<" in rule and rule not in reached]

    def _walk(self, waiting: list[str]) -> None:
        seen: set[str] = set()
        while waiting:
            path = waiting.pop(0).partition("?")[0]
            if path not in seen:
                seen.add(path)
                shown = self._look(path)
                waiting += [unescape(link) for link in _LINK.findall(shown.text)] if shown else []

    def _look(self, path: str) -> Shown | None:
        endpoint = self._endpoint(path)
        if endpoint is None or sum(each == endpoint for each, _ in self._size) >= _EXAMPLES:
            return None
        shown = (self._inside if self._is_for_members(endpoint) else self._outside).get(path)
        if shown.status != 200 or shown.headers.get_content_type() != "text/html" or "<html" not in shown.text:
            return None
        self._size[endpoint, path] = len(shown.text)
        return shown

    def _endpoint(self, path: str) -> str | None:
        try:
            endpoint: str = self._urls.match(path, "GET")[0]
        except (HTTPException, RequestRedirect):
            return None
        is_page = endpoint.startswith("console.") and not endpoint.endswith((*_ENDLESS, *_SAVED))
        return endpoint if is_page else None

    def _is_for_members(self, endpoint: str) -> bool:
        return needs_of(self._flask.view_functions[endpoint]) is not Who.ANYBODY

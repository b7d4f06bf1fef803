"""Pictures of every page in both languages and themes, wide and phone-sized: ``make screenshots``.

The pages are those that are registered. One with a parameter is found as people find it, by a link on another page;
of the few first links to it the one is taken that has most to show. So a new page is there without being named here.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from html import unescape
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from receiver.access.people import People
from receiver.access.sessions import Sessions
from receiver.admin.console.cookies import LOCALE, SESSION, THEME
from receiver.admin.console.routes import Who, needs_of
from receiver.store.store import Store
from tests.admin.api.every_route import app
from tests.admin.console.chromium import LAUNCH
from tests.admin.console.every_page import pages_of
from tests.admin.console.visitor import Shown, Visitor
from tests.demo.running import Demo, demonstrating

LOCALES, THEMES, WIDTHS = ("zh", "en"), ("light", "dark"), (1280, 390)
FOLDER = Path("screenshots")
_HEIGHT = 844
# Links to the same page that are looked at.
_EXAMPLES = 6
_DRAWN_MS = 250
_LINK = re.compile(r'<a\s[^>]*?href="(/[^"#]*)')


@dataclass(frozen=True)
class Shot:
    """A page with an address that shows it; ``member``: to whoever is logged in."""

    endpoint: str
    path: str
    member: bool

    @property
    def name(self) -> str:
        return self.endpoint.removeprefix("console.")


class Found:
    """The pages of a running demonstration, as an admin finds them."""

    def __init__(self, demo: Demo) -> None:
        self._flask: Flask = app()
        self._urls = self._flask.url_map.bind("127.0.0.1")
        self._demo = demo
        self._visitor = Visitor(demo.admin, {SESSION: session(demo), LOCALE: "en"})
        self._size: dict[tuple[str, str], int] = {}

    def shots(self) -> tuple[list[Shot], list[str]]:
        """What to take pictures of, and the rules to which no link leads."""
        rules = [page for page in pages_of(self._flask) if page.method == "GET"]
        waiting = [page.rule for page in rules if "<" not in page.rule]
        waiting.append(self._demo.links["viewer"])
        seen: set[str] = set()
        while waiting:
            path = waiting.pop(0)
            if path in seen or self._has_enough(path):
                continue
            seen.add(path)
            shown = self._look(path)
            if shown is not None:
                waiting += [unescape(link) for link in _LINK.findall(shown.text)]
        best: dict[str, str] = {}
        for (endpoint, path), size in self._size.items():
            if endpoint not in best or size > self._size[endpoint, best[endpoint]]:
                best[endpoint] = path
        shots = [Shot(endpoint, path, self._is_for_members(endpoint)) for endpoint, path in sorted(best.items())]
        reached = {self._urls.match(path, return_rule=True)[0].rule for path in best.values() if "?" not in path}
        return shots, [page.rule for page in rules if page.rule not in reached and "<" in page.rule]

    def _look(self, path: str) -> Shown | None:
        endpoint = self._endpoint(path)
        if endpoint is None or endpoint.endswith(("stream", "events", "logout")):
            return None
        visitor = self._visitor if self._is_for_members(endpoint) else Visitor(self._demo.admin)
        shown = visitor.get(path)
        kind = shown.headers.get_content_type()
        if shown.status != 200 or kind != "text/html" or shown.headers.get_content_disposition() == "attachment":
            return None
        if "?" not in path and "<html" in shown.text:
            self._size[endpoint, path] = len(shown.text)
        return shown

    def _has_enough(self, path: str) -> bool:
        endpoint = self._endpoint(path)
        return endpoint is None or sum(each == endpoint for each, _ in self._size) >= _EXAMPLES

    def _endpoint(self, path: str) -> str | None:
        try:
            endpoint: str = self._urls.match(path.partition("?")[0], "GET")[0]
        except (HTTPException, RequestRedirect):
            return None
        return endpoint if endpoint.startswith("console.") else None

    def _is_for_members(self, endpoint: str) -> bool:
        return needs_of(self._flask.view_functions[endpoint]) is not Who.ANYBODY


def session(demo: Demo) -> str:
    """The cookie of an admin who is logged in."""
    with closing(Store(demo.url, pooled=False)) as store:
        return Sessions(store).begin(People(store).get("admin"), peer="127.0.0.1", agent="screenshots")


def take(
    demo: Demo, browser: Browser, shots: Sequence[Shot], looks: Sequence[tuple[str, str, int]], folder: Path
) -> Iterator[Path]:
    """Take each picture; its file, once it is there."""
    cookie = session(demo)
    for locale, theme, width in looks:
        inside = _context(demo, browser, {LOCALE: locale, THEME: theme, SESSION: cookie}, width)
        outside = _context(demo, browser, {LOCALE: locale, THEME: theme}, width)
        for shot in shots:
            page = (inside if shot.member else outside).new_page()
            page.goto(shot.path)
            page.wait_for_timeout(_DRAWN_MS)
            file = folder / f"{shot.name}-{locale}-{theme}-{width}.png"
            page.screenshot(path=file, full_page=True)
            page.close()
            yield file
        inside.close()
        outside.close()


def _context(demo: Demo, browser: Browser, cookies: dict[str, str], width: int) -> BrowserContext:
    base = f"http://127.0.0.1:{demo.admin}"
    context = browser.new_context(base_url=base, viewport={"width": width, "height": _HEIGHT})
    context.add_cookies([{"name": name, "value": value, "url": base} for name, value in cookies.items()])
    return context


@click.command()
@click.argument("names", nargs=-1)
@click.option("--locale", type=click.Choice(LOCALES), help="One language alone.")
@click.option("--theme", type=click.Choice(THEMES), help="One theme alone.")
@click.option("--width", type=click.Choice([str(width) for width in WIDTHS]), help="One width alone.")
@click.option("--to", "folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
def main(names: tuple[str, ...], locale: str | None, theme: str | None, width: str | None, folder: Path) -> None:
    """Take pictures of every page, or of those whose name begins with one of NAMES, like "people"."""
    folder.mkdir(parents=True, exist_ok=True)
    looks = [
        (each_locale, each_theme, each_width)
        for each_locale, each_theme, each_width in product(LOCALES, THEMES, WIDTHS)
        if locale in (None, each_locale) and theme in (None, each_theme) and width in (None, str(each_width))
    ]
    with TemporaryDirectory(prefix="receiver-screenshots-") as place, demonstrating(Path(place) / "demo") as demo:
        shots, missing = Found(demo).shots()
        shots = [shot for shot in shots if not names or shot.name.startswith(names)]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(**LAUNCH)
            count = sum(1 for _ in take(demo, browser, shots, looks, folder))
            browser.close()
    click.echo(f"{count} pictures of {len(shots)} pages in {folder}/")
    for rule in missing:
        click.echo(f"No link leads to a page at {rule}", err=True)
    sys.exit(0 if count else 1)


if __name__ == "__main__":
    main()

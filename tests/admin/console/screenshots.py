"""Pictures of every page in both languages and themes, wide and phone-sized: ``make screenshots``."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from io import BytesIO
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from receiver.access.people import People
from receiver.access.sessions import Sessions
from receiver.admin.console.cookies import LOCALE, SESSION, THEME
from receiver.store.store import Store
from tests.admin.console.chromium import LAUNCH
from tests.admin.console.found import Found, Page
from tests.demo.running import Demo, demonstrating

LOCALES, THEMES, WIDTHS = ("zh", "en"), ("light", "dark"), (1280, 390)
FOLDER = Path("screenshots")
# What the READMEs and docs/ show, small: pages by their names, as much as a window has.
SHOWN = (
    "overview.show", "replies.index", "replies.conversation", "replies.show",
    "optouts.show", "sends.show", "health.show",
)  # fmt: skip
SHOWN_FOLDER = Path("docs/images")
_HEIGHT = 844
_SHOWN_COLOURS = 96
_DRAWN_MS = 250


def session(demo: Demo) -> str:
    """The cookie of an admin who is logged in."""
    with closing(Store(demo.url, pooled=False)) as store:
        return Sessions(store).begin(People(store).get("admin"), peer="127.0.0.1", agent="screenshots")


def take(
    demo: Demo, browser: Browser, found: Sequence[Page], looks: Sequence[tuple[str, str, int]], folder: Path
) -> Iterator[Path]:
    """Take each picture; its file, once it is there."""
    cookie = session(demo)
    for locale, theme, width in looks:
        inside = _context(demo, browser, {LOCALE: locale, THEME: theme, SESSION: cookie}, width)
        outside = _context(demo, browser, {LOCALE: locale, THEME: theme}, width)
        for each in found:
            page = (inside if each.member else outside).new_page()
            page.goto(each.path)
            # As high as all that it shows, so that what sticks to the window's edges is where it belongs.
            height = page.evaluate("document.documentElement.scrollHeight")
            page.set_viewport_size({"width": width, "height": max(height, _HEIGHT)})
            page.wait_for_timeout(_DRAWN_MS)
            file = folder / f"{each.name}-{locale}-{theme}-{width}.png"
            page.screenshot(path=file)
            page.close()
            yield file
        inside.close()
        outside.close()


def take_for_docs(demo: Demo, browser: Browser, found: Sequence[Page], folder: Path) -> Iterator[Path]:
    """Take the pictures of the READMEs and docs/, in few colours; each one's file."""
    cookie = session(demo)
    for locale in LOCALES:
        inside = _context(demo, browser, {LOCALE: locale, THEME: "light", SESSION: cookie}, WIDTHS[0])
        for each in found:
            page = inside.new_page()
            page.goto(each.path)
            page.wait_for_timeout(_DRAWN_MS)
            file = folder / f"{each.name.replace('.', '-')}-{locale}.png"
            with Image.open(BytesIO(page.screenshot())) as taken:
                few = taken.convert("RGB").quantize(_SHOWN_COLOURS, dither=Image.Dither.NONE)
                few.save(file, optimize=True)
            page.close()
            yield file
        inside.close()


def _context(demo: Demo, browser: Browser, cookies: dict[str, str], width: int) -> BrowserContext:
    base = f"http://127.0.0.1:{demo.admin}"
    language = {"zh": "zh-CN", "en": "en-GB"}[cookies[LOCALE]]
    context = browser.new_context(base_url=base, viewport={"width": width, "height": _HEIGHT}, locale=language)
    context.add_cookies([{"name": name, "value": value, "url": base} for name, value in cookies.items()])
    return context


@click.command()
@click.argument("names", nargs=-1)
@click.option("--locale", type=click.Choice(LOCALES), help="One language alone.")
@click.option("--theme", type=click.Choice(THEMES), help="One theme alone.")
@click.option("--width", type=click.Choice([str(width) for width in WIDTHS]), help="One width alone.")
@click.option("--docs", is_flag=True, help=f"Those of READMEs and docs alone, small, into {SHOWN_FOLDER}/.")
@click.option("--to", "folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
def main(
    names: tuple[str, ...], locale: str | None, theme: str | None, width: str | None, docs: bool, folder: Path
) -> None:
    """Take pictures of every page, or of those whose name begins with one of NAMES, like "people"."""
    logging.disable(logging.WARNING)  # of the application that is asked for its pages alone, and has no database
    folder = SHOWN_FOLDER if docs else folder
    folder.mkdir(parents=True, exist_ok=True)
    looks = [
        (each_locale, each_theme, each_width)
        for each_locale, each_theme, each_width in product(LOCALES, THEMES, WIDTHS)
        if locale in (None, each_locale) and theme in (None, each_theme) and width in (None, str(each_width))
    ]
    with TemporaryDirectory(prefix="receiver-screenshots-") as place, demonstrating(Path(place) / "demo") as demo:
        found = Found(demo.admin, session(demo), [demo.links["viewer"]])
        pages = [page for page in found.pages() if not names or page.name.startswith(names)]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(**LAUNCH)
            if docs:
                pages = [page for page in pages if page.name in SHOWN]
                taken = list(take_for_docs(demo, browser, pages, folder))
            else:
                taken = list(take(demo, browser, pages, looks, folder))
            browser.close()
    click.echo(f"{len(taken)} pictures of {len(pages)} pages in {folder}/")
    for rule in found.missing():
        click.echo(f"No link leads to a page at {rule}", err=True)
    sys.exit(0 if taken else 1)


if __name__ == "__main__":
    main()

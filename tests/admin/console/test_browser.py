"""The console in a real browser: each page in both languages and themes, without a fault that axe finds.

A fixture gives a page of somebody who is logged in; whatever a page says in the browser's console, and whatever it
asks of another origin, fails the test. For pages that come later: add them to ``PAGES``.
"""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect

from receiver.access import Scope
from receiver.access.people import People
from receiver.access.person import Person
from receiver.access.roles import Role
from receiver.admin.console.cookies import LOCALE, SESSION, THEME
from receiver.gateway.sending import Sending, SendRequest
from receiver.gateway.simulator.gateway import SimulatedGateway
from receiver.optout import services
from receiver.store import refusals
from receiver.vocabulary import Reason
from tests.admin.conftest import Admin
from tests.admin.console.chromium import LAUNCH
from tests.admin.console.sending import console_with_gateway, dispatch
from tests.admin.console.visitor import PASSWORD, visiting
from tests.vendored import FOLDERS

pytestmark = pytest.mark.browser

PAGES = (
    "/",
    "/optouts",
    "/optouts/1",
    "/optouts/1/proof",
    "/optouts/add",
    "/optouts/import",
    "/optouts/ledger",
    "/quarantine",
    "/quarantine/{kept}?reveal=1",
    "/services",
    "/services/news",
    "/sends",
    "/sends/new",
    "/sends/{send}",
    "/gateway",
    "/health",
    "/keys",
    "/keys/{key}",
    "/replies",
    "/replies?kind=x",
    "/replies/{reply}",
    "/replies/{reply}/conversation",
    "/people",
    "/people/{person}",
    "/audit",
    "/account",
    "/account/second-factor",
    "/nowhere",
)
OUTSIDE = ("/login", "/login?done=logged-out", "/welcome/{token}", "/welcome/none")
LOOKS = (("zh", "light", 1280), ("zh", "dark", 390), ("en", "light", 390), ("en", "dark", 1280))
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# The tables that are wider than their place; bytes in columns may be, where the screen is narrow.
_CUT = """[...document.querySelectorAll(".scroll:not(:has(.dump))")]
    .filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.ariaLabel)"""
# What a status of 4xx makes the browser say of the page itself.
_EXPECTED = "Failed to load resource"

Open = Callable[..., Page]


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    return LAUNCH


@pytest.fixture
def open_page(admin: Admin, browser: Browser) -> Iterator[Open]:
    """Open a new browser window: ``open_page(person, locale=…, theme=…, width=…)``; person None: not logged in."""
    complaints: list[str] = []
    contexts = []
    base = f"http://127.0.0.1:{admin.port}"

    def opened(person: Person | None, *, locale: str = "en", theme: str = "light", width: int = 1280) -> Page:
        context = browser.new_context(base_url=base, viewport={"width": width, "height": 844})
        contexts.append(context)
        kept = {LOCALE: locale, THEME: theme}
        if person is not None:
            kept[SESSION] = visiting(admin.port, admin.store, person).cookies[SESSION]
        context.add_cookies([{"name": name, "value": value, "url": base} for name, value in kept.items()])
        page = context.new_page()
        page.on("console", lambda said: None if _EXPECTED in said.text else complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda sent: None if sent.url.startswith((base, "data:")) else complaints.append(sent.url))
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Admin, SimulatedGateway]]:
    """A server, and the gateway's stand-in."""
    with console_with_gateway(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture(scope="module")
def admin(beside: tuple[Admin, SimulatedGateway]) -> Admin:
    return beside[0]


@pytest.fixture(scope="module")
def filled(admin: Admin) -> Admin:
    """Something for each page to show."""
    for number in range(3):
        admin.filled.reply(b"src=1390000000%d&dst=10690000&msg=hello" % number)
    admin.filled.kept(b"src=13900000008&msg=hello", reason=Reason.MISSING_DST)
    for _ in range(2):  # both charsets could have these bytes
        admin.filled.reply(b"src=13900000009&dst=10690000&msg=" + quote("甬江".encode("gbk")).encode())
    admin.filled.reply(b"src=13900000009&dst=10690000&msg=0000")
    services.change(admin.store, "news", "每日新闻", numbers=["106900001"], prefixes=["10690002"])
    now = datetime.now(UTC)
    refused = refusals.Refusal("203.0.113.9", Reason.SOURCE, 12, now - timedelta(hours=1), now)
    with admin.store.writing() as transaction:
        refusals.add(transaction, [refused], limit=10, other="other")
    return admin


@pytest.mark.parametrize(("locale", "theme", "width"), LOOKS)
def test_each_page_is_sound_in_every_look(
    locale: str, theme: str, width: int, filled: Admin, people: dict[Role, Person], open_page: Open
) -> None:
    token = People(filled.store).invite_again(people[Role.VIEWER].name).token
    places = {
        "person": people[Role.VIEWER].id,
        "token": token,
        "reply": filled.rows("messages", src="+8613900000009")[1]["id"],
        **shown(filled),
    }
    for who, paths in ((people[Role.ADMIN], PAGES), (None, OUTSIDE)):
        page = open_page(who, locale=locale, theme=theme, width=width)
        for path in paths:
            page.goto(path.format(**places))
            assert faults(page) == [], (path, locale, theme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, "is wider than the screen")
            assert page.evaluate(_CUT) == [], (path, locale, width, "has a table that is cut")


def shown(filled: Admin) -> dict[str, UUID]:
    """The ids of what some pages are about."""
    request = SendRequest(["13900000001", "13900000002"], "明天停水")
    send = Sending(filled.store).enqueue(request, "tests").send_id
    return {
        "kept": filled.rows("quarantine")[0]["id"],
        "send": send,
        "key": filled.key(Scope.SMS_SEND, name="shop").key.id,
    }


@pytest.mark.parametrize(("locale", "theme", "width"), [("en", "light", 1280), ("zh", "dark", 390)])
def test_a_text_is_counted_previewed_sent_and_followed(
    locale: str,
    theme: str,
    width: int,
    filled: Admin,
    beside: tuple[Admin, SimulatedGateway],
    people: dict[Role, Person],
    open_page: Open,
) -> None:
    filled.filled.reply(b"src=13900000002&dst=1069&msg=0000")
    page = open_page(people[Role.OPERATOR], locale=locale, theme=theme, width=width)
    page.goto("/sends/new")
    count, long = page.locator("#count"), page.locator("input[name=long]")
    page.locator("#field-text").fill("停水" * 33 + "😀")
    expect(count).to_contain_text("68")
    expect(count).to_have_class("count wrong")
    long.check()
    expect(count).to_contain_text("240")
    expect(count).to_have_class("count")
    long.uncheck()
    page.locator("#field-phones").fill("13900000001\n139 0000 0002\n0755 8231 6688\nx")
    expect(count).to_contain_text("40")
    page.locator("#field-text").fill("明天停水")
    page.locator("#compose > button").click()
    expect(page.locator(".statement.warn")).to_have_count(2)
    assert faults(page) == []
    page.locator("form.decide button").first.click()
    expect(page.locator(".badge").first).to_contain_text("2 ")
    assert faults(page) == []
    dispatch(*beside, page.url.partition("?")[0])
    # Without being loaded again.
    expect(page.locator(".badge.good").first).to_contain_text("2 ", timeout=20_000)
    page.goto("/gateway")
    expect(page.locator("#balance")).to_contain_text("好店", timeout=20_000)


def faults(page: Page) -> list[str]:
    """What axe finds wrong with a page."""
    # Not as a script element: the policy of the page forbids that.
    page.evaluate((FOLDERS[1] / "axe.min.js").read_text())
    found = page.evaluate(f"axe.run({{runOnly: {json.dumps(_RULES)}}})")
    return [f"{each['id']}: {node['html']}" for each in found["violations"] for node in each["nodes"]]


def test_axe_is_asked_and_would_find_something(filled: Admin, open_page: Open) -> None:
    page = open_page(None)
    page.goto("/login")
    page.evaluate("document.querySelector('label').remove()")
    assert any(fault.startswith("label:") for fault in faults(page))


def test_somebody_is_invited_joins_and_looks_around_with_the_keyboard_alone(
    filled: Admin, people: dict[Role, Person], open_page: Open
) -> None:
    page = open_page(people[Role.ADMIN])
    page.goto("/people")
    page.get_by_label("Name", exact=True).fill("newcomer")
    page.keyboard.press("Enter")
    link = page.get_by_label("Link").input_value()
    assert faults(page) == []
    page.reload()
    expect(page.get_by_text("The link was shown once")).to_be_visible()

    page = open_page(None)
    page.goto(link)
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same once more").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.wait_for_load_state()  # keys are heard once the page's script has run
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", name="概览", exact=True)).to_be_visible()


def test_keys_move_in_lists_and_to_the_filter(filled: Admin, people: dict[Role, Person], open_page: Open) -> None:
    page = open_page(people[Role.ADMIN])
    page.goto("/people")
    names = page.locator("table.rows tbody th a").all_inner_texts()
    for key, expected in (("j", 0), ("j", 1), ("k", 0), ("k", 0)):
        page.keyboard.press(key)
        expect(page.locator("table.rows a:focus")).to_have_text(names[expected])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=names[0], exact=True)).to_be_visible()
    page.goto("/audit")
    page.keyboard.press("/")
    expect(page.locator(":focus")).to_have_attribute("data-search", "")
    page.keyboard.type("j?/")
    expect(page.locator(":focus")).to_have_value("j?/")


def test_the_chart_of_the_overview_tells_the_hour_under_the_pointer(
    filled: Admin, people: dict[Role, Person], open_page: Open
) -> None:
    page = open_page(people[Role.VIEWER])
    page.goto("/")
    over = page.locator(".plot .u-over")
    box = over.bounding_box()
    assert box is not None
    over.hover(position={"x": box["width"] - 3, "y": 20})
    expect(page.locator(".u-legend .u-series").nth(1)).to_contain_text("Replies")
    shown = page.locator(".u-legend .u-series").nth(1).locator(".u-value").inner_text()
    assert int(shown) >= 3, "those of this hour"


def test_replies_are_found_as_it_is_typed_and_come_in_by_themselves(
    filled: Admin, people: dict[Role, Person], open_page: Open
) -> None:
    page = open_page(people[Role.OPERATOR])
    page.goto("/replies")
    page.keyboard.press("/")
    page.keyboard.type("livel")
    expect(page).to_have_url(re.compile(r"/replies\?text=livel$"))
    expect(page.get_by_text("No reply meets these filters")).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    for number in (1, 2):
        filled.filled.reply(b"src=13900000001&dst=10690000&msg=lively%%20%d" % number)
        filled.filled.reply(b"src=13900000001&dst=10690000&msg=other%%20%d" % number)
    expect(page.locator("td.wide")).to_have_text(["lively 2", "lively 1"])
    expect(page.get_by_text("No reply meets these filters")).to_be_hidden()
    expect(page.get_by_label("Text", exact=True)).to_be_focused()
    page.get_by_role("button", name="Show phones whole").click()
    page.get_by_role("link", name="+8613900000001").first.click()
    expect(page.get_by_role("heading", name="+8613900000001")).to_be_visible()


def test_an_export_is_followed_to_its_end_beside_the_download(
    filled: Admin, people: dict[Role, Person], open_page: Open
) -> None:
    page = open_page(people[Role.OPERATOR], width=390)
    page.goto("/replies?kind=unsubscribe")
    menu = page.get_by_role("button", name="Export")
    menu.press("Enter")
    expect(page.get_by_role("button", name="CSV")).to_be_visible()
    assert page.locator(".menu form").evaluate("(form) => form.offsetWidth") > 250, "it has room"
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="CSV")).to_be_hidden()
    expect(menu).to_be_focused()
    menu.click()
    with page.expect_download() as begun:
        page.get_by_role("button", name="CSV").click()
    expect(page.get_by_role("status")).to_contain_text("The export is done")
    told = page.get_by_role("status").inner_text()
    rows = begun.value.path().read_text("utf-8-sig").splitlines()
    assert f"{len(rows) - 1} row" in told
    assert faults(page) == []


def test_a_row_is_a_card_on_a_phone_whose_cells_say_what_they_are(
    filled: Admin, people: dict[Role, Person], open_page: Open
) -> None:
    page = open_page(people[Role.ADMIN], width=390)
    page.goto("/people")
    state = page.locator("tbody tr").first.locator("td").nth(1)
    assert state.evaluate("(cell) => getComputedStyle(cell, '::before').content") == '"State"'
    tops = page.locator("tbody tr").first.locator("td").evaluate_all("(cells) => cells.map((c) => c.offsetTop)")
    assert sorted(set(tops)) == tops, "one below the other"


def test_everything_works_without_scripts(
    admin: Admin, filled: Admin, people: dict[Role, Person], browser: Browser, tmp_path: Path
) -> None:
    context = browser.new_context(base_url=f"http://127.0.0.1:{admin.port}", java_script_enabled=False, locale="en")
    page = context.new_page()
    page.goto("/audit")
    page.locator("input[name=name]").fill(people[Role.ADMIN].name)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=password]").press("Enter")
    page.locator("input[name=actor]").fill(people[Role.ADMIN].name)
    page.locator("input[name=actor]").press("Enter")
    expect(page.locator("tbody td:nth-child(3)").first).to_have_attribute("title", "person.logged-in")
    page.locator("button[value=dark]").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    context.close()

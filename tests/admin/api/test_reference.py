"""The reference as people read it: whole, without scripts or anything from outside, and with calls that work."""

import http.client
import re
import shlex
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urlencode, urlsplit

import pytest

from receiver.access import Scope
from receiver.admin.api.gate import LARGEST_BODY
from receiver.admin.api.paging import LARGEST_PAGE
from receiver.admin.api.problems import KINDS
from receiver.config import Settings
from receiver.server import LONGEST_LINE
from tests.admin.api.every_route import document
from tests.admin.client import Answer
from tests.admin.conftest import Admin
from tests.docs.pages import PAGES, ROOT, named

OPERATIONS = [
    (operation["operationId"], method.upper(), path, operation)
    for path, item in document()["paths"].items()
    for method, operation in item.items()
]


class Page(HTMLParser):
    """What a page has: its anchors, where its links lead, and what a strict policy forbids."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.forbidden: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given[name] for name in ("href", "src", "action") if name in given]
        self.forbidden += [tag] if tag in ("script", "style", "iframe", "object", "img") else []
        self.forbidden += [name for name in given if name == "style" or name.startswith("on")]


@pytest.fixture(scope="module")
def html(admin: Admin) -> str:
    answer = admin.api().get("/api/docs")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    return answer.body.decode()


def test_it_has_every_operation_with_each_parameter_and_answer(html: str) -> None:
    page = Page(html)
    sections = {name: part for part in html.split("<article ")[1:] for name in re.findall(r'^id="(\w+)"', part)}
    assert set(sections) == {name for name, *_ in OPERATIONS}
    assert len(set(page.ids)) == len(page.ids)
    for name, method, path, operation in OPERATIONS:
        section = unescape(sections[name])
        for told in (method, path, operation["summary"], operation["x-scope"]):
            assert told in section, (name, told)
        for parameter in operation.get("parameters", []):
            assert f"<code>{parameter['name']}</code>" in section, (name, parameter["name"])
        for status in operation["responses"]:
            assert f">{status} " in section or f">{status}</span>" in section, (name, status)


def test_every_link_leads_somewhere_and_none_outside(html: str, admin: Admin) -> None:
    page = Page(html)
    for link in set(page.links):
        assert link.startswith(("#", "/")), link
        if link.startswith("#"):
            assert link[1:] in page.ids, link
        else:
            assert admin.api().get(link).status == 200 if link.startswith("/api/") else link.startswith("/static/")
    assert {f"/api/problems/{kind.name}" for kind in KINDS} <= set(page.links)


def test_nothing_on_it_needs_a_script_or_breaks_the_policy(html: str, admin: Admin) -> None:
    assert Page(html).forbidden == []
    for kind in KINDS:
        problem = admin.api().get(f"/api/problems/{kind.name}").body.decode()
        assert Page(problem).forbidden == []
        assert kind.title in unescape(problem)


def test_what_comes_with_a_request_is_shown_as_text(admin: Admin) -> None:
    answer = admin.api().request("GET", "/api/docs", headers={"Host": 'x"><script>alert(1)</script>'})
    assert answer.status == 400 or b"<script" not in answer.body


@pytest.mark.parametrize("name", [name for name, *_ in OPERATIONS])
def test_its_calls_work_as_they_stand(name: str, html: str, admin: Admin) -> None:
    section = next(part for part in html.split("<article ")[1:] if part.startswith(f'id="{name}"'))
    have_news(admin)
    (call,) = re.findall(r'<pre class="call"[^>]*><code>(.*?)</code>', section, re.DOTALL)
    answer = called(unescape(call), admin.key(Scope.ADMIN).token)
    assert answer.status < 300 or answer.status in (404, 409), (call, answer.body)
    if answer.status == 404:
        assert answer.json["type"] == "/api/problems/not-found"


GUIDE = (ROOT / "docs/api.md").read_text()
CALLS = {
    f"{named(page)} {number}": call
    for page in PAGES
    for number, call in enumerate(re.findall(r"^curl .*(?:\n  .*)*", page.read_text(), re.MULTILINE), 1)
    if "/api/" in call or "$API" in call
}


def test_there_are_guides_with_calls() -> None:
    assert len(CALLS) >= 18


@pytest.mark.parametrize("name", CALLS)
def test_the_calls_of_the_guides_work(name: str, admin: Admin) -> None:
    token, address = admin.key(Scope.ADMIN).token, f"http://127.0.0.1:{admin.port}"
    have_news(admin)
    call = CALLS[name].replace("$API", f"{address}/api/v1").replace("http://127.0.0.1:8001", address)
    answer = called(re.sub(r"(?m)\s+#.*$", "", call).replace("$TOKEN", "$KEY"), token)
    assert answer.status < 300 or answer.json["type"] == "/api/problems/not-found", (call, answer.body)


def test_the_guide_says_what_the_limits_are() -> None:
    for name in ("key", "address", "failures"):
        amount, _, unit = getattr(Settings(), f"rate_limit_{name}").partition("/")
        assert f"| {int(amount):,} a {unit} | `RECEIVER_RATE_LIMIT_{name.upper()}` |" in GUIDE
    assert f"| bytes of a body | {LARGEST_BODY:,} |" in GUIDE
    assert f"| bytes of an address with its query | {LONGEST_LINE:,} |" in GUIDE
    assert f"| items of a page | {LARGEST_PAGE:,} |" in GUIDE
    for scope in Scope:
        assert f"| `{scope}` |" in GUIDE


def have_news(admin: Admin) -> None:
    """Have the service of the examples: a list may name none that is not there."""
    admin.all_powerful.put("/services/news", {"name": "News"}).ok()


def called(command: str, key: str) -> Answer:
    """What a shell and curl would do with ``command``, for the options that the reference uses."""
    words = shlex.split(command.replace("\\\n", " ").replace("$KEY", key))
    assert words.pop(0) == "curl"
    method, headers, query, body, target = "", {}, [], None, ""
    while words:
        match words.pop(0):
            case "-X":
                method = words.pop(0)
            case "-G":
                method = method or "GET"
            case "-H":
                header, _, value = words.pop(0).partition(": ")
                headers[header] = value
            case "--data-urlencode":
                query.append(words.pop(0).partition("=")[::2])
            case "-d" | "--data-binary":
                body, method = words.pop(0).encode(), method or "POST"
            case "-N" | "-OJ" | "--compressed":
                pass
            case "-o":
                words.pop(0)
            case word:
                assert not word.startswith("-"), word
                target = word
    address = urlsplit(target)
    asked = "&".join(filter(None, [address.query, urlencode(query)]))
    whole = address.path + (f"?{asked}" if asked else "")
    connection = http.client.HTTPConnection(address.netloc, timeout=30)
    try:
        connection.request(method or "GET", whole, body, headers)
        response = connection.getresponse()
        is_stream = response.headers.get_content_type() == "text/event-stream"
        return Answer(response.status, response.headers, b"" if is_stream else response.read())
    finally:
        connection.close()

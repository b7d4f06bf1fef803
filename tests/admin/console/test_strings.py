"""Both languages are complete: every string is marked, translated, and not in doubt."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import Environment, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser

from receiver.admin.console.languages import catalogue
from tests.admin.console.strings import TEMPLATES, TRANSLATED, merged, unfinished

TOLD = ("alt", "aria-label", "placeholder", "title")
# A word of a language, and no name of ours: in templates such words are marked for translation.
WORD = re.compile(r"[A-Za-z]{2,}")
CODE = ("code", "pre", "kbd", "script", "style")
MARKING = ("_", "gettext", "ngettext")


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_string_is_translated_and_none_is_in_doubt(language: str) -> None:
    assert list(unfinished(language)) == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_catalogue_is_what_collecting_the_strings_makes_of_it(language: str) -> None:
    assert catalogue(language).read_bytes() == merged(language), "run: make strings"


@pytest.mark.parametrize("template", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.stem)
def test_every_string_of_a_template_is_marked(template: Path) -> None:
    assert list(unmarked(template.read_text())) == []


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("<p>{{ _('Fine') }}</p><pre><code>receiver serve</code></pre>", []),
        ("{% trans %}Fine{% endtrans %}", []),
        ("<p>Forgotten {{ count }}</p>", ["Forgotten"]),
        ('<input aria-label="Forgotten">', ["Forgotten"]),
        ("{{ m.badge('Forgotten words') }}", ["Forgotten words"]),
        ("{% if a %}<p>{% else %}Forgotten{% endif %}", ["Forgotten"]),
    ],
)
def test_what_is_not_marked_is_found(template: str, found: list[str]) -> None:
    assert list(unmarked(template)) == found


class _Marked(Extension):
    """``{% trans %}``, whose words are marked: they are left out."""

    tags = {"trans"}  # noqa: RUF012

    def parse(self, parser: Parser) -> list[nodes.Node]:
        lineno = next(parser.stream).lineno
        while parser.stream.current.type != "block_end":
            next(parser.stream)
        parser.parse_statements(("name:endtrans",), drop_needle=True)
        return [nodes.Output([nodes.TemplateData("")], lineno=lineno)]


class _Words(HTMLParser):
    """The words that a page shows or tells, outside of code."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in TOLD and value and WORD.search(value)]
        if tag in CODE:
            self._within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._within:
            self._within.remove(tag)

    def handle_data(self, data: str) -> None:
        if not self._within and WORD.search(data):
            self.found.append(data.strip())


def unmarked(template: str) -> Iterator[str]:
    """What a template says that no language has a word in."""
    tree = Environment(extensions=[_Marked], autoescape=True).parse(template)
    page = _Words()
    page.feed("".join(data.data for data in tree.find_all(nodes.TemplateData)))
    page.close()
    yield from page.found
    yield from (text for text in _constants(tree) if " " in text.strip() and re.match(r"[A-Z][a-z]", text))


def _constants(node: nodes.Node) -> Iterator[str]:
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name in MARKING:
        return
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    for child in node.iter_child_nodes():
        yield from _constants(child)

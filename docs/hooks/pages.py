"""Makes pages of docs/*.md as the site is built: what the code says itself, files of the root, links that hold."""

import logging
import re
from pathlib import Path
from posixpath import dirname, relpath
from typing import Any

from docs.hooks.references import codes, commands, settings

ROOT = Path(__file__).parents[2]
# Files beside docs/ that are pages of the site too.
OF_THE_ROOT = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changes.md", "SECURITY.md": "vulnerabilities.md"}
_MADE = {"codes": codes, "commands": commands, "settings": settings}
_LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_FROM_ELSEWHERE = re.compile(
    r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//", re.IGNORECASE
)
_ENGLISH_ONLY = '\n!!! note ""\n    本页暂无中文版，以下为英文。\n'

log = logging.getLogger("mkdocs.hooks.pages")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Put in what is made, and mend the links that leave docs/; one that leads nowhere is a warning."""
    uri = page.file.src_uri
    if included := re.fullmatch(r"<!-- file: (\S+) -->", markdown.strip()):
        source = ROOT / included[1]
        markdown = _mended(source.read_text(), source, uri)
    else:
        markdown = _mended(markdown, ROOT / "docs" / uri, uri)
    for name, made in _MADE.items():
        if (place := f"<!-- {name} -->") in markdown:
            markdown = markdown.replace(place, made(page.file.locale))
    is_fallback = page.file.locale_alternate_of == "zh" and page.file.locale != "zh"
    return markdown.replace("\n", "\n" + _ENGLISH_ONLY, 1) if is_fallback else markdown  # below the heading


def on_post_template(output: str, *, template_name: str, config: Any) -> str:
    """No map of the site where nobody knows yet at which address it will be."""
    return "" if template_name == "sitemap.xml" and not config.site_url else output


def on_post_page(output: str, *, page: Any, **_: Any) -> None:
    """Nobody who reads a page is told on to somebody else: a page that loads from elsewhere is a warning."""
    if found := _FROM_ELSEWHERE.search(output):
        log.warning("%s loads from elsewhere: %s", page.file.src_uri, found[0])


def _mended(markdown: str, source: Path, uri: str) -> str:
    def mended(link: re.Match[str]) -> str:
        words, (path, hash_, anchor) = link[1], link[2].partition("#")
        if not path or ":" in path:
            return link[0]
        target = (source.parent / path).resolve()
        inside = target.relative_to(ROOT).as_posix()
        if inside in OF_THE_ROOT:
            inside = f"docs/{OF_THE_ROOT[inside]}"
        if not inside.startswith("docs/"):  # the code is not part of the site; whether a page is there MkDocs looks
            if not target.exists():
                log.warning("%s links to %s, which is not there", uri, path)
            return words
        return f"[{words}]({relpath(inside, dirname(f'docs/{uri}'))}{hash_}{anchor})"

    return _LINK.sub(mended, markdown)

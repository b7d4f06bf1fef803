"""The console's strings: collected from code and templates, and merged into the catalogue of each language.

``make strings`` adds what is new, untranslated, and drops what is gone. English is what stands in the code.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from receiver.admin.console.languages import CHINESE, catalogue

ADMIN = Path(__file__).parents[3] / "receiver/admin"
TEMPLATES = ADMIN / "templates/console"
TRANSLATED = (CHINESE,)
# Without dates and names, which would be in every merge's way.
_HEADER = rb"""# The console's words.
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\n"
"Plural-Forms: nplurals=1; plural=0;\n"

"""
_METHODS = [("console/**.py", "python"), ("templates/console/**.html", "jinja2")]
_OPTIONS = {"**.html": {"silent": "false"}}
_KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "lazy_gettext": None}


def collected() -> Catalog:
    """Every string that stands in code and templates now."""
    found = Catalog(project="receiver", charset="utf-8")
    for path, _line, message, comments, context in extract_from_dir(ADMIN, _METHODS, _OPTIONS, _KEYWORDS):
        found.add(message, locations=[(path, None)], auto_comments=comments, context=context)  # type: ignore[list-item]
    return found


def translated(chosen: str) -> Catalog:
    """A language's catalogue as it is written."""
    with catalogue(chosen).open("rb") as written:
        return read_po(written, locale=chosen)


def merged(chosen: str) -> bytes:
    """What a language's catalogue should be, with the translations that it has."""
    present = translated(chosen) if catalogue(chosen).exists() else Catalog(locale=chosen, charset="utf-8")
    present.update(collected(), no_fuzzy_matching=True)
    present.obsolete.clear()
    out = BytesIO()
    write_po(out, present, width=0, omit_header=True, sort_by_file=True, include_lineno=False, ignore_obsolete=True)
    return _HEADER + out.getvalue()


def unfinished(chosen: str) -> Iterator[str]:
    """What a language lacks: a string without translation, a doubtful one, one that can't be filled in."""
    present, wanted = translated(chosen), collected()
    for message in wanted:
        if not message.id:
            continue
        have = present.get(message.id, message.context)
        given = [] if have is None else have.string if isinstance(have.string, list | tuple) else [have.string]
        if have is None or not given or not all(given):
            yield f"untranslated: {message.id}"
        elif have.fuzzy:
            yield f"fuzzy: {message.id}"
        else:
            yield from (f"{error}: {message.id}" for error in have.check(present))
            # Babel's check passes over a bare "95%", which then fails where the page is made.
            yield from (f"no format: {sentence}" for sentence in given if not _can_be_filled_in(sentence or ""))


def _can_be_filled_in(sentence: str) -> bool:
    try:
        _ = sentence % defaultdict[str, int](int)
    except (TypeError, ValueError):
        return False
    return True


if __name__ == "__main__":
    for each in TRANSLATED:
        catalogue(each).parent.mkdir(parents=True, exist_ok=True)
        content = merged(each)
        catalogue(each).write_bytes(content)
        sys.stdout.write("\n".join([*unfinished(each), ""]))

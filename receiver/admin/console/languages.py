"""The console's two languages: strings are English in the code, Chinese in a catalogue that is read as it is written.

No step compiles it: the .po file is parsed once for each process, which takes some hundredths of a second.
"""

import io
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias, cast

import flask_babel
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, g, request
from flask_babel import Babel, Domain

from . import cookies

CHINESE, ENGLISH = "zh", "en"
LOCALES = {CHINESE: "中文", ENGLISH: "English"}
"""Each language in its own words; the first is for whoever has not chosen."""
TAGS = {CHINESE: "zh-Hans", ENGLISH: "en"}
CATALOGUES = Path(__file__).parents[1] / "translations"
ZONE = "Asia/Shanghai"
"""The gateway's and most readers' time (protocol.md §2), of whoever has no account yet."""


Words: TypeAlias = str
"""What a page says, put into its language when it is shown: everything that ``lazy_gettext`` gives."""


def add_languages(app: Flask) -> None:
    """Have ``app`` speak the language, and tell the time, of whoever asks."""
    babel = Babel(app, default_locale=CHINESE, locale_selector=locale, timezone_selector=_zone)
    babel.domain_instance = _Catalogues()


def locale() -> str:
    """The language of this request."""
    liked = request.cookies.get(cookies.LOCALE, "")
    return liked if liked in LOCALES else CHINESE


def catalogue(chosen: str) -> Path:
    """Where the words of a language are."""
    return CATALOGUES / chosen / "LC_MESSAGES" / "messages.po"


def gettext(string: str, **values: object) -> str:
    """``string`` in the language of this request, with ``values`` in its places."""
    return str(flask_babel.gettext(string, **values))


def ngettext(one: str, many: str, count: int, **values: object) -> str:
    """``one`` or ``many`` of something, in the language of this request; ``%(num)d`` is how many."""
    return str(flask_babel.ngettext(one, many, count, **values))


def lazy_gettext(string: str) -> Words:
    """``string`` for when it is shown: for what is written down once, outside of requests."""
    return cast(Words, flask_babel.lazy_gettext(string))


class _Catalogues(Domain):
    def get_translations(self) -> NullTranslations:
        return _translations(str(flask_babel.get_locale()))


@lru_cache
def _translations(chosen: str) -> NullTranslations:
    path = catalogue(chosen)
    if not path.exists():  # the strings themselves are English
        return NullTranslations()
    compiled = io.BytesIO()
    with path.open("rb") as written:
        write_mo(compiled, read_po(written, locale=chosen))
    compiled.seek(0)
    return Translations(compiled)


def _zone() -> str:
    # Not looked up for this: an error page is told without the database.
    held = g.get("session")
    return held.person.zone if held is not None else ZONE

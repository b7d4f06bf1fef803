"""Whether a text is an unsubscribe: the whole text, as the person meant it (protocol.md §1, §8)."""

import unicodedata
from collections.abc import Iterable

MANDATORY_KEYWORD = "0000"

# Space, line and paragraph separators; controls (NUL, line ends); format characters (zero-width, BOM, direction).
_TRIMMED_CATEGORIES = frozenset(["Zs", "Zl", "Zp", "Cc", "Cf"])


def keyword_set(keywords: Iterable[str] = ()) -> frozenset[str]:
    """The keywords in the form that ``is_unsubscribe`` compares, always with the gateway's mandatory ``0000``."""
    return frozenset(filter(None, map(_bare, [MANDATORY_KEYWORD, *keywords])))


def is_unsubscribe(text: str, keywords: frozenset[str]) -> bool:
    """Whether the whole ``text`` is one of ``keywords`` (made by ``keyword_set``).

    Full-width digits, letter case, and white space, controls or zero-width characters around it don't matter.
    """
    return text in keywords or _bare(text) in keywords


def _bare(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    start, end = 0, len(folded)
    while start < end and unicodedata.category(folded[start]) in _TRIMMED_CATEGORIES:
        start += 1
    while start < end and unicodedata.category(folded[end - 1]) in _TRIMMED_CATEGORIES:
        end -= 1
    return folded[start:end]

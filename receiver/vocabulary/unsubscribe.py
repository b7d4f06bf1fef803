"""Whether a text is an unsubscribe: the whole text, as the person meant it (protocol.md §1, §8)."""

import unicodedata
from collections.abc import Iterable

MANDATORY_KEYWORD = "0000"

# Space, line and paragraph separators; controls (NUL, line ends); format characters (zero-width, BOM, direction).
_TRIMMED_CATEGORIES = frozenset(["Zs", "Zl", "Zp", "Cc", "Cf"])
# Which choose how the character before them looks, and can't be seen themselves.
_VARIATION_SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))


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
    while start < end and _is_trimmed(folded[start]):
        start += 1
    while start < end and _is_trimmed(folded[end - 1]):
        end -= 1
    return folded[start:end]


def _is_trimmed(char: str) -> bool:
    return unicodedata.category(char) in _TRIMMED_CATEGORIES or char in _VARIATION_SELECTORS

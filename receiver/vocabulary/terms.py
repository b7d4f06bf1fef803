"""The terms by which a text is found: its characters and pairs of them, letter case and width aside."""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b


def folded(text: str) -> str:
    """A text as it is compared: ``ＡＢＣ`` and ``abc`` are one, ``１`` and ``1``."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def grams(text: str) -> set[str]:
    """Every character of a folded text, and every two that follow each other."""
    return {*text, *(text[place : place + 2] for place in range(len(text) - 1))}


def needed_grams(needle: str) -> set[str]:
    """What a folded text must have to have ``needle`` in it: exactly that, up to two characters."""
    return {needle} if len(needle) < 2 else {needle[place : place + 2] for place in range(len(needle) - 1)}


def hashes(terms: Iterable[str]) -> list[int]:
    """Each term as a number of 31 bits; two may share one, so that what is found is looked at again."""
    return sorted({_hash(term) for term in terms})


@lru_cache(maxsize=1 << 17)
def _hash(term: str) -> int:
    return int.from_bytes(blake2b(term.encode("utf-8", "replace"), digest_size=4).digest()) >> 1

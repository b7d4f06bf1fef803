"""The gateway's own words without what it should not have repeated: phones, and the password."""

import re
from dataclasses import replace
from html import escape
from typing import TypeVar
from urllib.parse import quote, quote_plus

from receiver.vocabulary import mask_phones

from .answers import Balance, ContentVerdict, SendAnswer

# A shorter one is no password that the gateway takes (protocol.md §6), and would be found in every other word.
_SHORTEST_SECRET = 4
_Answer = TypeVar("_Answer")


def discreet(words: str, *secrets: str) -> str:
    """``words`` with every phone masked, and without ``secrets`` as they are, or as URLs and HTML write them."""
    return mask_phones(_without(words, secrets))


def discreet_answer(answer: _Answer, *secrets: str) -> _Answer:
    """An answer whose texts for people may be stored and shown."""
    match answer:
        case SendAnswer():
            return replace(answer, message=discreet(answer.message, *secrets))
        case ContentVerdict():
            # What it names is a word of the text that was asked about: digits too.
            return replace(answer, reason=_without(answer.reason, secrets))
        case Balance():
            return replace(answer, short_name=_without(answer.short_name, secrets))
    return answer


def _without(words: str, secrets: tuple[str, ...]) -> str:
    long_enough = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]
    forms = {form for secret in long_enough for form in _written(secret)}
    if not forms:
        return words
    # The longest first: one form may begin as another one does.
    any_form = "|".join(map(re.escape, sorted(forms, key=len, reverse=True)))
    return re.sub(any_form, "…", words, flags=re.IGNORECASE)


def _written(secret: str) -> tuple[str, ...]:
    return (
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        escape(secret),
        escape(secret, quote=False),
    )

"""The gateway's own words without what it should not have repeated: phones, and the password."""

from dataclasses import replace
from typing import TypeVar
from urllib.parse import quote

from receiver.vocabulary import mask_phones

from .answers import Balance, ContentVerdict, SendAnswer

# A shorter one is no password that the gateway takes (protocol.md §6), and would be found in every other word.
_SHORTEST_SECRET = 4
_Answer = TypeVar("_Answer")


def discreet(words: str, *secrets: str) -> str:
    """``words`` with every phone masked, and without ``secrets`` in any form that they were sent in."""
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
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            for form in (secret, quote(secret, safe=""), quote(secret)):
                words = words.replace(form, "…")
    return words

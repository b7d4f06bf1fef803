"""What the gateway's codes mean and what to do about them, in the language of whoever reads it."""

from receiver.gateway import Meaning, meaning_of

from .languages import CHINESE, gettext, locale


def meant(meaning: Meaning) -> tuple[str, str]:
    """What one of the gateway's codes means, and what to do."""
    if locale() == CHINESE:
        return meaning.chinese, meaning.advice_chinese
    return meaning.english, meaning.advice_english


def refused(code: int) -> str:
    """That the gateway refused something with this code."""
    said, advice = meant(meaning_of(code))
    sentence = advice[:1].upper() + advice[1:]
    return gettext("The gateway refused it: %(code)s, %(said)s. %(advice)s.", code=code, said=said, advice=sentence)

"""Who a phone number is: every written form of one number is one subscriber, by E.164 (protocol.md §9)."""

import re
import unicodedata
from functools import lru_cache

from .wire import visible

# A mainland mobile in any of its forms, with or without 86, 0086, +86 or the trunk 0. The library below would agree,
# at fifty times the cost; it also knows no number range before its metadata does.
_CHINESE_MOBILE = re.compile(r"(?:(?:\+|00)?86)?0?(1[3-9][0-9]{9})")
# Between the digits of a number people write these, besides white space and what can't be seen.
_PUNCTUATION = frozenset("-\u2010\u2011\u2012\u2013\u2014()./")
_UNSEEN = frozenset(["Zs", "Zl", "Zp", "Cc", "Cf"])
# What stands between the digits of a phone in a sentence: of any width, and unseen.
_BETWEEN = "[\\s\\-\u00b7\u200b-\u2015\u2022\u2060\u2212\ufe63\ufeff\uff0d()\uff08\uff09./\uff0e\uff0f_]{0,3}"
_MOBILE_IN_WORDS = (
    f"(?:[8\uff18]{_BETWEEN}[6\uff16]{_BETWEEN})?[1\uff11]{_BETWEEN}[3-9\uff13-\uff19](?:{_BETWEEN}\\d){{9}}"
)
# Our ids, addresses of the network and dates have as many digits, and are none.
_ID = r"(?<![\w-])[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}(?![\w-])"
_ADDRESS = r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])"
_DATE = r"(?<!\d)20\d\d(?P<mark>[-/.])[01]?\d(?P=mark)[0-3]?\d(?![-/.]?\d)"
# A mobile, else seven digits and more as far as the next mobile: a list of phones is not one long number.
_PHONE_IN_WORDS = re.compile(
    rf"(?P<other>{_ID}|{_ADDRESS}|{_DATE})"
    rf"|[+\uff0b]?(?:{_MOBILE_IN_WORDS}|\d(?:{_BETWEEN}(?!{_MOBILE_IN_WORDS})\d){{6,14}})"
)
_DIGITS = re.compile(r"\+?[0-9]{5,20}")
_INTERNATIONAL_WITHOUT_PLUS = re.compile(r"(?!9[56])[2-9][0-9]{9,14}")


def phone_identity(written: str, region: str = "CN") -> str | None:
    """The E.164 form (``+8613912345678``) of a phone number written in any way, or None where it is none.

    ``region`` (ISO 3166 alpha-2) is whose numbers may come without a country code. Short codes, letters and
    impossible numbers are no phones. Never matches on trailing digits.
    """
    chinese = region == "CN"
    if chinese and (mobile := _CHINESE_MOBILE.fullmatch(written)):
        return "+86" + mobile[1]
    compact = "".join(filter(_is_significant, unicodedata.normalize("NFKC", written)))
    if chinese and (mobile := _CHINESE_MOBILE.fullmatch(compact)):
        return "+86" + mobile[1]
    return _by_numbering_plan(compact, region) if _DIGITS.fullmatch(compact) else None


def as_it_came(phone: str) -> str:
    """What a sender is kept under that is no phone: as it came, but in characters that every database takes."""
    return visible(phone).encode("utf-8", "replace").decode().strip()


def _is_significant(char: str) -> bool:
    return char not in _PUNCTUATION and unicodedata.category(char) not in _UNSEEN


def mask(phone: str) -> str:
    """A number as people see it who don't need it whole: ``+86139****5678``. The one place that masks."""
    if len(phone) >= 11:
        return f"{phone[:-8]}****{phone[-4:]}"
    shown = len(phone) // 3
    return phone[:shown] + "*" * (len(phone) - 2 * shown) + phone[len(phone) - shown :]


def mask_phones(words: str) -> str:
    """Somebody else's words with every phone in them masked, however it is written there."""
    return _PHONE_IN_WORDS.sub(lambda found: found["other"] or mask(_compact(found[0])), words)


def phones_in(words: str, region: str = "CN") -> set[str]:
    """The E.164 form of every phone that somebody's words hold, however it is written there."""
    written = (found[0] for found in _PHONE_IN_WORDS.finditer(words) if not found["other"])
    return {identity for each in written if (identity := phone_identity(each, region))}


def _compact(written: str) -> str:
    plain = unicodedata.normalize("NFKC", written)
    return "".join(char for char in plain if char.isdecimal() or char == "+")


@lru_cache(maxsize=4096)
def _by_numbering_plan(compact: str, region: str) -> str | None:
    import phonenumbers  # 10 MB and 50 ms that a process which sees only Chinese mobiles never pays

    def valid(number: str, country: str | None) -> str | None:
        try:
            parsed = phonenumbers.parse(number, country)
        except phonenumbers.NumberParseException:
            return None
        if not phonenumbers.is_valid_number(parsed):
            return None
        return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)

    if compact.startswith("00"):
        compact = "+" + compact[2:]
    # Without a trunk 0 or a country code a Chinese number that is no mobile is a service number: 106…, 95…, 400….
    bare = region == "CN" and not compact.startswith(("+", "0", "86"))
    identity = None if bare else valid(compact, region)
    if identity is None and _INTERNATIONAL_WITHOUT_PLUS.fullmatch(compact):
        # +85298765432 after a gateway that drops the plus. Not for 1…, 95…, 96…: service numbers begin so.
        identity = valid("+" + compact, None)
    return identity

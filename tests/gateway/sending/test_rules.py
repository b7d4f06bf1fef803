"""What the gateway would refuse or cut off is refused before, with what would do (protocol.md §2)."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from receiver.gateway.client.request import length
from receiver.gateway.sending.rules import (
    Inadmissible,
    check_sender,
    check_text,
    gateway_minute,
    is_ahead,
    parts,
)

NOW = datetime(2026, 6, 3, 8, 30, 20, tzinfo=UTC)
CHINA = timezone(timedelta(hours=8))


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("abc", 3), ("你好", 2), ("😀", 2), ("👨‍👩‍👧", 8), ("𠀀a", 3), ("\r\n", 2)]
)
def test_characters_are_counted_as_classic_asp_counts(text: str, count: int) -> None:
    assert length(text) == count


TEXTS = [
    # what it is, text, with PHS, long, what the refusal says (None: allowed)
    ("60 for mobiles", "你" * 60, False, False, None),
    ("61 for mobiles", "你" * 61, False, False, ["61 characters", "at most 60", "--long"]),
    ("30 emoji are 60", "😀" * 30, False, False, None),
    ("31 emoji are 62", "😀" * 31, False, False, ["62 characters"]),
    ("40 with PHS", "你" * 40, True, False, None),
    ("41 with PHS", "你" * 41, True, False, ["41 characters", "at most 40", "PHS", "apart", "as it is"]),
    ("61 with PHS", "你" * 61, True, False, ["61 characters", "at most 40", "apart", "--long"]),
    ("long, 240", "你" * 240, False, True, None),
    ("long, 241", "你" * 241, False, True, ["241 characters", "at most 240", "shorten it"]),
    ("short, 241", "你" * 241, False, False, ["241 characters", "at most 60", "shorten it"]),
    ("long with PHS", "你" * 30, True, True, ["mobiles only", "apart"]),
    ("empty", "", False, False, ["empty"]),
    ("white space", " \r\n\t", False, False, ["empty"]),
    ("a NUL", "a\x00b", False, False, ["U+0000"]),
    ("an escape", "a\x1bb", False, False, ["U+001B"]),
    ("a control character of Latin-1", "a\x85b", False, False, ["U+0085"]),
    ("what can't be seen", "\u200b \ufeff", False, False, ["nothing in it can be seen"]),
    ("an unseen one among others", "a\u200bb", False, False, None),
    ("a delete", "a\x7fb", False, False, ["U+007F"]),
    ("line ends and tabs", "a\r\n\tb", False, False, None),
    ("half an emoji", "a\ud83d", False, False, ["U+D83D", "gb18030"]),
]


@pytest.mark.parametrize(("text", "phs", "long", "said"), [pytest.param(*case[1:], id=case[0]) for case in TEXTS])
def test_a_text_is_allowed_whole_or_refused(text: str, phs: bool, long: bool, said: list[str] | None) -> None:
    if said is None:
        check_text(text, any_phs=phs, long=long, charset="gb18030")
        return
    with pytest.raises(Inadmissible) as refused:
        check_text(text, any_phs=phs, long=long, charset="gb18030")
    for words in said:
        assert words in str(refused.value)


def test_long_is_not_offered_where_it_would_not_do() -> None:
    with pytest.raises(Inadmissible) as refused:
        check_text("x" * 241, any_phs=False, long=False, charset="gb18030")
    assert "--long" not in str(refused.value)


def test_a_character_that_the_charset_lacks_is_named() -> None:
    check_text("😀", any_phs=False, long=False, charset="gb18030")
    with pytest.raises(Inadmissible, match=r"😀' \(U\+1F600\), which gbk can't carry"):
        check_text("hi 😀", any_phs=False, long=False, charset="gbk")


@pytest.mark.parametrize(("count", "number"), [(1, 1), (60, 1), (61, 1), (67, 1), (68, 2), (134, 2), (240, 4)])
def test_a_long_text_counts_in_parts(count: int, number: int) -> None:
    assert parts(count) == number


SENDERS = [
    # sender, base, what the refusal says
    (None, None, None), ("0", None, None), ("12345678", None, None), ("123456789", None, "9 digits"),
    ("", None, "digits only"), ("1a", None, "digits only"), ("１", None, "digits only"), ("-1", None, "digits only"),
    ("12345678", "10690000", None), ("1", "106900001234567", None), ("12", "106900001234567", "17 digits"),
    ("1", "1069x", "--base"), (None, "10690000123456789", "17 digits"),
]  # fmt: skip


@pytest.mark.parametrize(("sender", "base", "said"), SENDERS)
def test_extension_digits_fit_both_limits(sender: str | None, base: str | None, said: str | None) -> None:
    if said is None:
        check_sender(sender, base)
    else:
        with pytest.raises(Inadmissible, match=said):
            check_sender(sender, base)


TIMES = [
    # at, the gateway's minute (None: refused)
    (NOW + timedelta(hours=1), datetime(2026, 6, 3, 9, 31, tzinfo=UTC)),
    (datetime(2026, 6, 3, 18, 0, tzinfo=CHINA), datetime(2026, 6, 3, 10, 0, tzinfo=UTC)),
    (datetime(2026, 6, 3, 10, 0, 0, 1, tzinfo=UTC), datetime(2026, 6, 3, 10, 1, tzinfo=UTC)),
    (datetime(2026, 6, 3, 8, 31, 20, tzinfo=UTC), datetime(2026, 6, 3, 8, 32, tzinfo=UTC)),
    (datetime(2026, 6, 3, 8, 31, 0, tzinfo=UTC), None),
    (NOW, None),
    (NOW - timedelta(days=1), None),
    (NOW + timedelta(days=367), None),
    (datetime(2026, 6, 3, 10, 0), None),  # noqa: DTZ001 — that is what is wrong with it
]


@pytest.mark.parametrize(("at", "minute"), TIMES)
def test_a_time_is_a_whole_minute_well_ahead(at: datetime, minute: datetime | None) -> None:
    if minute is None:
        with pytest.raises(Inadmissible):
            gateway_minute(at, NOW)
    else:
        assert gateway_minute(at, NOW) == minute
        assert is_ahead(minute, NOW)

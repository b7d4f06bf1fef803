"""0000 is an unsubscribe as a person types it, and nothing else is (protocol.md §1, §8)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.vocabulary import is_unsubscribe, keyword_set

MANDATORY = keyword_set()

STOPS = [
    "0000", "００００", "0０0０", " 0000", "0000 ", "\u30000000\u3000",
    "\t0000\r\n", "0000\n", "0000\r", "\r\n\r\n0000",
    "\u200b0000\u200b", "\ufeff0000", "0000\u200d", "\u200e0000\u200f", "\u2060００００", "\u00a00000\u00a0",
    "\u20280000\u2029", "\x000000\x00", "\x1a0000", "0000\x7f", " \u200b \ufeff0000 \u200b\r\n",
]  # fmt: skip

REPLIES = [
    "", " ", "0", "000", "00000", "000000", "0000元", "0000.", "0000。", "0000!",
    "“0000”", "00 00", "0\u200b000", "00\n00",
    "O000", "oooo", "OOOO", "〇〇〇〇", "零零零零",
    "٠٠٠٠", "1000", "0001", "退订0000", "0000退订", "0000 0000", "-0000", "+0000",
    "退订", "TD", "0000\u0301",
]  # fmt: skip


@pytest.mark.parametrize("text", STOPS, ids=ascii)
def test_0000_unsubscribes_whatever_is_invisible_around_it(text: str) -> None:
    assert is_unsubscribe(text, MANDATORY)


@pytest.mark.parametrize("text", REPLIES, ids=ascii)
def test_what_is_more_or_less_than_0000_does_not(text: str) -> None:
    assert not is_unsubscribe(text, MANDATORY)


OWN = keyword_set(["TD", "退订", " ｔｕｉ "])


@pytest.mark.parametrize("text", ["TD", "td", "Td", "ＴＤ", " td\n", "退订", "退订 ", "TUI", "tui", "0000", "００００"])
def test_further_keywords_are_compared_as_loosely(text: str) -> None:
    assert is_unsubscribe(text, OWN)


@pytest.mark.parametrize("text", ["TDX", "T D", "请退订", "退订。", "不退订", ""])
def test_a_keyword_is_the_whole_text(text: str) -> None:
    assert not is_unsubscribe(text, OWN)


@pytest.mark.parametrize("keywords", [[], ["TD"], [""], [" ", "\u200b"]])
def test_0000_can_not_be_removed_and_nothing_is_no_keyword(keywords: list[str]) -> None:
    assert is_unsubscribe("0000", keyword_set(keywords))
    assert not is_unsubscribe("", keyword_set(keywords))
    assert not is_unsubscribe("\u200b", keyword_set(keywords))


INVISIBLE = st.text(
    st.sampled_from(" \t\r\n\x00\x0b\u00a0\u00ad\u200b\u200c\u200d\u2028\u2060\u3000\ufeff\u202a\u202c"), max_size=8
)
ZERO = st.sampled_from("0０")


@given(INVISIBLE, st.lists(ZERO, min_size=4, max_size=4), INVISIBLE)
def test_four_zeros_between_invisible_characters_always_unsubscribe(before: str, zeros: list[str], after: str) -> None:
    assert is_unsubscribe(before + "".join(zeros) + after, MANDATORY)


@given(INVISIBLE, st.integers(0, 12).filter(lambda count: count != 4), INVISIBLE)
def test_any_other_number_of_zeros_never_does(before: str, count: int, after: str) -> None:
    assert not is_unsubscribe(before + "0" * count + after, MANDATORY)


@given(st.text())
def test_what_unsubscribes_holds_four_zeros(text: str) -> None:
    if is_unsubscribe(text, MANDATORY):
        assert sum(char.isdigit() for char in text) == 4

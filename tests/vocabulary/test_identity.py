"""One person is one subscriber, however the number is written (protocol.md §9)."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from receiver.vocabulary import as_it_came, mask, phone_identity

ONE_PERSON = [
    "13900001234",
    "8613900001234",
    "+8613900001234",
    "008613900001234",
    " 8613900001234",
    "013900001234",
    "+86013900001234",
    "139 0000 1234",
    "139-0000-1234",
    "+86 139-0000-1234",
    "+86 (139) 0000.1234",
    "１３９００００１２３４",
    "＋８６１３９００００１２３４",
    "139\u00a00000\u30001234",
    "\u202d+8613900001234\u202c",
    "\ufeff13900001234\u200b",
    "139\u20130000\u20141234",
    "13900001234\t",
    "13900001234\r\n",
    "\x0013900001234\x00",
    "\u206013900001234\u2066",
    "\u202a13900001234",
]


@pytest.mark.parametrize("written", ONE_PERSON)
def test_every_written_form_of_a_mobile_is_one_subscriber(written: str) -> None:
    assert phone_identity(written) == "+8613900001234"


OTHERS = [
    # what it is, as written, identity
    ("a number range younger than any library", "19900001234", "+8619900001234"),
    ("PHS: a number that begins with an area code", "01062345678", "+861062345678"),
    ("PHS with the country code", "+86 21 6234 5678", "+862162345678"),
    ("Hong Kong with a plus", "+852 9123 4567", "+85291234567"),
    ("Hong Kong with 00", "0085291234567", "+85291234567"),
    ("Hong Kong whose plus was dropped", "85291234567", "+85291234567"),
    ("Taiwan", "+886912345678", "+886912345678"),
    ("the United States", "+12025550123", "+12025550123"),
]


@pytest.mark.parametrize(("written", "identity"), [pytest.param(*case[1:], id=case[0]) for case in OTHERS])
def test_other_numbers_have_their_e164_form(written: str, identity: str) -> None:
    assert phone_identity(written) == identity


NO_PHONES = [
    "9558801234", "9551212345", "9510112345", "1065800001", "1062345678", "4008100000",
    "", " ", "+", "10086", "95588", "12306", "10658000", "106580000123", "106900001234", "0000", "GATEWAY",
    "139OOOO1234", "1390000123", "139000012345", "12900001234", "+861390000123", "99913900001234", "11113900001234",
    "13900001234,13900001235", "13900001234 ext 5", "1" * 21, "\x00", "\ufffd",
]  # fmt: skip


@pytest.mark.parametrize("written", NO_PHONES)
def test_what_is_no_phone_has_no_identity(written: str) -> None:
    assert phone_identity(written) is None


def test_the_region_says_whose_numbers_come_without_a_country_code() -> None:
    assert phone_identity("91234567", "HK") == "+85291234567"
    assert phone_identity("91234567", "CN") is None
    assert phone_identity("+8613900001234", "HK") == "+8613900001234"


MOBILES = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)


@given(MOBILES, st.sampled_from(["", "86", "+86", "0086", "0", "+860", " 86"]), st.data())
def test_prefix_and_separators_never_change_who_it_is(mobile: str, prefix: str, data: st.DataObject) -> None:
    separators = data.draw(st.lists(st.sampled_from(["", "", " ", "-", "\u3000"]), min_size=11, max_size=11))
    written = prefix + "".join(digit + separator for digit, separator in zip(mobile, separators, strict=True))
    assert phone_identity(written) == "+86" + mobile


@given(st.from_regex(r"[0-9]{1,6}", fullmatch=True), MOBILES)
@example("9", "13900001234")
def test_numbers_are_never_matched_on_their_trailing_digits(leading: str, mobile: str) -> None:
    if leading not in {"86", "0086", "0", "860", "00860"}:
        assert phone_identity(leading + mobile) != "+86" + mobile


@given(st.text(max_size=30))
def test_whatever_is_written_an_identity_is_e164_and_its_own_identity(written: str) -> None:
    identity = phone_identity(written)
    if identity is not None:
        assert identity[0] == "+"
        assert identity[1:].isascii()
        assert identity[1:].isdigit()
        assert phone_identity(identity) == identity


AS_THEY_CAME = [
    ("10086", "10086"),
    (" SHOP\t", "SHOP"),
    ("移动", "移动"),
    ("1\0002", "1\N{SYMBOL FOR NULL}2"),
    ("\udcff1", "?1"),
    (" ", ""),
]


@pytest.mark.parametrize(("sender", "kept"), AS_THEY_CAME)
def test_a_sender_that_is_no_phone_is_kept_as_it_came_in_what_a_database_takes(sender: str, kept: str) -> None:
    assert as_it_came(sender) == kept


MASKED = [
    ("+8613900001234", "+86139****1234"),
    ("13900001234", "139****1234"),
    ("85291234567", "852****4567"),
    ("10086", "1***6"),
    ("95588", "9***8"),
    ("GATEWAY", "GA***AY"),
    ("12", "**"),
    ("1", "*"),
    ("", ""),
]


@pytest.mark.parametrize(("phone", "masked"), MASKED)
def test_a_masked_number_shows_its_ends_alone(phone: str, masked: str) -> None:
    assert mask(phone) == masked


@given(st.text(min_size=1))
def test_a_mask_hides_a_third_at_least_and_keeps_the_length(phone: str) -> None:
    masked = mask(phone)
    assert len(masked) == len(phone)
    hidden = sum(1 for was, now in zip(phone, masked, strict=True) if now == "*" or was != now)
    assert hidden >= min(4, len(phone) / 3)

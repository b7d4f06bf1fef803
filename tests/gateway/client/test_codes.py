"""Every code of protocol.md §7 has its meaning in two languages and an error of its own."""

import pytest

from receiver.gateway import Concern, Refusal, meaning_of
from receiver.gateway.client.codes import MEANINGS
from receiver.gateway.client.refusals import REFUSALS, refusal

# The list of protocol.md §7, and what each is about.
LISTED = {
    6001: Concern.ACCOUNT,  # no such enterprise
    6002: Concern.ACCOUNT,  # account stopped
    6003: Concern.ACCOUNT,  # wrong password
    6004: Concern.PHONE,  # phone on the protected list
    6005: Concern.TEXT,  # text has forbidden words
    6006: Concern.CHANNEL,  # channel cannot bill the phone
    6007: Concern.CHANNEL,  # no channel for this phone
    6008: Concern.PHONE,  # invalid phone
    6009: Concern.PHONE,  # phone on the blacklist
    6010: Concern.ACCOUNT,  # authentication failed
    6011: Concern.PHONE,  # not entitled to this phone
    6012: Concern.ACCOUNT,  # the account is limited to other IP addresses
    6013: Concern.ACCOUNT,  # balance too low
    6014: Concern.TEXT,  # empty text
    6015: Concern.TEXT,  # text too long
    6016: Concern.ACCOUNT,  # password must be longer than 4 characters
    6017: Concern.ACCOUNT,  # balance lookup failed
    6018: Concern.ACCOUNT,  # SDK not enabled or trial expired
    6019: Concern.CHANNEL,  # interface withdrawn
    6020: Concern.ACCOUNT,  # interface for VIP customers only
    6021: Concern.CHANNEL,  # extension number not registered
    6022: Concern.TEXT,  # looks like SP traffic
}


def test_the_table_is_the_protocols_list() -> None:
    assert {code: meaning.concerns for code, meaning in MEANINGS.items()} == LISTED
    assert all(meaning.code == code for code, meaning in MEANINGS.items())


def test_no_two_codes_say_the_same() -> None:
    assert len({meaning.english for meaning in MEANINGS.values()}) == len(LISTED)
    assert len({meaning.chinese for meaning in MEANINGS.values()}) == len(LISTED)


@pytest.mark.parametrize("code", [*LISTED, 0, 7777])
def test_each_speaks_both_languages(code: int) -> None:
    meaning = meaning_of(code)
    assert meaning.english.isascii()
    assert meaning.advice_english.isascii()
    for chinese in (meaning.chinese, meaning.advice_chinese):
        assert any("\u4e00" <= char <= "\u9fff" for char in chinese)


def test_each_has_an_error_of_its_own() -> None:
    assert list(REFUSALS) == list(LISTED)
    assert len(set(REFUSALS.values())) == len(LISTED)
    for code, kind in REFUSALS.items():
        assert kind.__doc__ == str(code)
        raised = refusal(code, "text")
        assert type(raised) is kind
        assert (raised.code, raised.message, raised.meaning) == (code, "text", meaning_of(code))


@pytest.mark.parametrize("code", [0, 1, -1, 6000, 6023, 7777])
def test_an_unknown_code_is_passed_on_as_it_came(code: int) -> None:
    raised = refusal(code, "text")
    assert type(raised) is Refusal
    assert (raised.code, raised.meaning.code, raised.meaning.concerns) == (code, code, Concern.UNKNOWN)


def test_a_refusal_says_what_to_do_in_one_line_and_nothing_of_the_gateways_text() -> None:
    said = str(refusal(6003, "13900000001 is not you"))
    assert "6003 wrong password (密码错误)" in said
    assert "RECEIVER_GATEWAY_PASSWORD" in said
    assert "13900000001" not in said + repr(refusal(6003, "13900000001 is not you"))
    assert len(said.splitlines()) == 1

"""What the gateway says is stored and shown without phones and passwords, however it repeats them."""

from urllib.parse import quote

import pytest

from receiver.gateway import Refusal
from receiver.gateway.client.discreet import discreet
from receiver.vocabulary import mask_phones
from tests.gateway.client.conftest import PASSWORD, Answers, client
from tests.gateway.client.wire import http

PHONES = [
    "13900000001", "139 0000 0001", "139-0000-0001", "+86 139 0000 0001", "0086-13900000001", "（010）5550-0001",
    "１３９００００００１", "139.0000.0001", "139－0000－0001", "139\u200b0000\u200b0001", "13900000001 13900000002",
    "13900000001/13900000002", "010-5550001 13900000001",
]  # fmt: skip


@pytest.mark.parametrize("phone", PHONES)
def test_no_phone_stays_whole_in_the_gateway_s_words(phone: str, answers: Answers) -> None:
    words = f"号码{phone}在保护名单，请联系客服"
    server = answers(http(f"num=0&success=&faile=&err={words}&errid=6004".encode("gb18030")))
    with pytest.raises(Refusal) as refusal:
        client(server).send(["13900000001"], "a")
    said = refusal.value.message
    assert "****" in said
    assert "保护名单，请联系客服" in said
    assert "39000000" not in "".join(char for char in said if char.isalnum())


def test_a_password_that_the_gateway_repeats_is_taken_out(answers: Answers) -> None:
    for echoed in (PASSWORD, quote(PASSWORD, safe=""), quote(PASSWORD, safe="").lower(), PASSWORD.upper()):
        server = answers(http(f"num=0&success=&faile=&err=wrong password {echoed}&errid=6003".encode()))
        with pytest.raises(Refusal) as refusal:
            client(server).send(["13900000001"], "a")
        assert refusal.value.message == "wrong password …"


def test_a_new_password_that_the_gateway_repeats_is_taken_out(answers: Answers) -> None:
    server = answers(http(b"errid=6016&err=abcd1234 is too short"))
    with pytest.raises(Refusal) as refusal:
        client(server).change_password("abcd1234")
    assert refusal.value.message == "… is too short"


def test_a_password_of_signs_is_taken_out_as_a_page_would_write_it() -> None:
    assert discreet("pwd=a&amp;b&lt;c 错误", "a&b<c") == "pwd=… 错误"
    assert discreet("pwd=a%26b%3cc 错误", "a&b<c") == "pwd=… 错误"


def test_a_forbidden_word_stays_readable(answers: Answers) -> None:
    server = answers(http("errid=6005&err=400-800-1234".encode("gb18030")))
    assert client(server).check_content("call 400-800-1234").reason == "400-800-1234"


@pytest.mark.parametrize(
    "words",
    [
        "batch 123456 of 99", "2026-06", "2026-06-13 17:00", "6004", "192.168.100.200", "a1b2c3d4e5f6g7",
        "send 01a21c20-2b40-7000-8481-112345678926",
    ],
)  # fmt: skip
def test_what_is_no_phone_is_left_alone(words: str) -> None:
    assert mask_phones(words) == words

"""The simulator writes a reply as gateways were seen to, and its own load can be read back without doubt."""

import pytest

from receiver.gateway.simulator.script import Script, simulated_phone
from receiver.gateway.simulator.wire import Encoding, Unencodable, parameters, request, written
from receiver.vocabulary import Kind, is_unsubscribe, keyword_set, phone_identity
from receiver.vocabulary.wire import read_text


@pytest.mark.parametrize(
    ("text", "encoding", "wire"),
    [
        ("退订 a&b", Encoding.UTF_8, b"%E9%80%80%E8%AE%A2%20a%26b"),
        ("退订 a&b", Encoding.GBK, b"%CD%CB%B6%A9%20a%26b"),
        ("退订😀", Encoding.GB18030, b"%CD%CB%B6%A9%949%FC6"),
        ("退订 a&b%", Encoding.RAW_GBK, b"\xcd\xcb\xb6\xa9%20a%26b%25"),
        ("退订 a+b", Encoding.RAW_UTF_8, b"\xe9\x80\x80\xe8\xae\xa2%20a%2Bb"),
        ("退订 é@a+b😀", Encoding.ESCAPE, b"%u9000%u8BA2%20%E9@a+b%uD83D%uDE00"),
        ("0000\r\n", Encoding.RAW_GBK, b"0000%0D%0A"),
    ],
)
def test_a_text_is_written_as_gateways_write_it(text: str, encoding: Encoding, wire: bytes) -> None:
    assert written(text, encoding) == wire


@pytest.mark.parametrize("encoding", [Encoding.GBK, Encoding.RAW_GBK])
def test_a_character_that_the_charset_lacks_is_named(encoding: Encoding) -> None:
    with pytest.raises(Unencodable, match="gbk has no '😀'"):
        written("好的😀", encoding)


def test_a_plus_in_a_phone_is_escaped() -> None:
    assert parameters("+8615400000001", "1069", b"hi") == b"src=%2B8615400000001&dst=1069&msg=hi"


def test_raw_bytes_reach_the_request_line_as_they_are() -> None:
    assert request("h:1", "/r?a=1", b"msg=\xcd\xcb").startswith(b"GET /r?a=1&msg=\xcd\xcb HTTP/1.1\r\nHost: h:1\r\n")
    assert request("h", "/r", b"msg=\xcd", post=True).endswith(b"Content-Length: 5\r\n\r\nmsg=\xcd")


@pytest.mark.parametrize("encoding", list(Encoding))
def test_every_reply_of_a_load_reads_as_what_it_says(encoding: Encoding) -> None:
    script = Script(unsubscribes=0.3, encodings=[encoding])
    keywords = keyword_set()
    for number in range(200):
        line = script.line(number)
        assert read_text(line.msg).text == line.text
        assert is_unsubscribe(line.text, keywords) == (line.kind is Kind.UNSUBSCRIBE)
        assert phone_identity(line.src) == line.phone == script.phone(number)


def test_a_stored_reply_tells_its_number_and_a_stranger_tells_none() -> None:
    script, other = Script(unsubscribes=0.3, run=12_345_678), Script(unsubscribes=0.3, run=87_654_321)
    for number in (0, 1, 2, 3, 500, 99_999):
        line, strange = script.line(number), other.line(number)
        assert script.number(line.phone, line.text, line.kind) == number
        if strange.kind is Kind.REPLY:
            assert script.number(strange.phone, strange.text, strange.kind) is None
    assert script.number("+8613900000001", "0000", "unsubscribe") is None
    assert script.dst != other.dst


def test_the_share_of_unsubscribes_is_what_was_asked_for() -> None:
    for share, expected in ((0.0, 0), (0.02, 20), (0.5, 500), (1.0, 1000)):
        script = Script(unsubscribes=share)
        assert sum(script.is_unsubscribe(number) for number in range(1000)) == expected


def test_no_two_replies_of_a_load_share_a_phone_or_a_text() -> None:
    script = Script(unsubscribes=0)
    lines = [script.line(number) for number in range(2_000)]
    assert len({line.phone for line in lines}) == len({line.text for line in lines}) == 2_000


def test_simulated_phones_are_in_a_range_that_no_operator_has() -> None:
    assert simulated_phone(7) == "15400000007"
    assert phone_identity(simulated_phone(99_999_999)) == "+8615499999999"

"""From the bytes of a query parameter to its text (protocol.md §8)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.vocabulary import Charset
from receiver.vocabulary.wire import read_text, unescape, visible

UTF_8, GB18030 = Charset.UTF_8, Charset.GB18030

CASES = [
    # what it is, wire, text, charset, certain
    ("plain", b"YES", "YES", UTF_8, True),
    ("nothing", b"", "", UTF_8, True),
    ("plus is a space", b"a+b", "a b", UTF_8, True),
    ("an escaped plus is a plus", b"a%2Bb", "a+b", UTF_8, True),
    ("lower-case escapes", b"%e4%bd%a0", "你", UTF_8, True),
    ("GBK", b"%C4%E3%BA%C3", "你好", GB18030, True),
    ("GBK whose second byte is a letter, unescaped", b"%81@%84Z", "丂刏", GB18030, True),
    ("raw bytes", b"\xc4\xe3\xba\xc3", "你好", GB18030, True),
    ("raw and escaped bytes of one character", b"\xc4%E3", "你", GB18030, True),
    ("a percent sign that escapes nothing", b"100%", "100%", UTF_8, True),
    ("a percent sign before what is no number", b"5%off%zz", "5%off%zz", UTF_8, True),
    ("JavaScript's escape", b"%u4F60%u597D", "你好", UTF_8, True),
    ("JavaScript's escape in small letters", b"%u4f60", "你", UTF_8, True),
    ("JavaScript's escape with a capital U", b"%U4F60", "你", UTF_8, True),
    ("JavaScript's escape among others", b"a+%u4F60%20b", "a 你 b", UTF_8, True),
    ("JavaScript's escape beside GBK", b"%C4%E3%u597D", "你好", GB18030, True),
    ("two units of one emoji", b"%uD83D%uDE00", "😀", UTF_8, True),
    ("a lone high surrogate", b"a%uD83D", "a\ufffd", UTF_8, False),
    ("a lone low surrogate", b"%uDE00b", "\ufffdb", UTF_8, False),
    ("surrogates in the wrong order", b"%uDE00%uD83D", "\ufffd\ufffd", UTF_8, False),
    ("too few digits for a unit", b"%u4F6", "%u4F6", UTF_8, True),
    ("a person typed %u4F60", b"%25u4F60", "%u4F60", UTF_8, True),
    ("broken bytes", b"%FF%FF", "\ufffd\ufffd", UTF_8, False),
    ("a NUL", b"a%00b", "a\x00b", UTF_8, True),
]


@pytest.mark.parametrize(
    ("wire", "text", "charset", "certain"), [pytest.param(*case[1:], id=case[0]) for case in CASES]
)
def test_a_value_is_read(wire: bytes, text: str, charset: Charset, certain: bool) -> None:
    read = read_text(wire)
    assert (read.text, read.charset, read.certain) == (text, charset, certain)


def test_a_fixed_charset_holds_beside_javascripts_escape_too() -> None:
    assert read_text(b"%CD%A3%u6B62", GB18030).text == "停止"
    assert read_text(b"%CD%A3%u6B62", UTF_8).text == "\u0363止"


VISIBLE = [
    ("a\x00b", "a␀b"),
    ("\x01\x08\x0b\x0c\x0e\x1b\x1f\x7f", "␁␈␋␌␎␛␟␡"),
    ("line\r\n\tline", "line\r\n\tline"),
    ("你好 😀", "你好 😀"),
    ("zero\u200bwidth", "zero\u200bwidth"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "shown"), VISIBLE, ids=[ascii(text) for text, _ in VISIBLE])
def test_controls_are_kept_as_their_pictures(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.binary(max_size=60))
def test_any_wire_is_read_and_any_database_can_hold_it(wire: bytes) -> None:
    for charset in Charset:
        text = visible(read_text(wire, charset).text)
        assert "\x00" not in text
        text.encode("utf-8")


@given(st.text(max_size=30), st.sampled_from(["utf-8", "gb18030"]))
def test_what_is_escaped_byte_by_byte_reads_back(text: str, charset: str) -> None:
    raw = text.encode(charset, "replace")
    escaped = b"".join(b"%%%02X" % byte for byte in raw)
    assert unescape(escaped) == raw
    assert read_text(escaped, Charset(charset)).text == raw.decode(charset)


@given(st.text(max_size=30))
def test_javascripts_escape_reads_back_whatever_the_charset(text: str) -> None:
    units = text.encode("utf-16-be")
    escaped = b"".join(b"%%u%02X%02X" % (high, low) for high, low in zip(units[::2], units[1::2], strict=True))
    for charset in Charset:
        assert read_text(escaped, charset).text == text

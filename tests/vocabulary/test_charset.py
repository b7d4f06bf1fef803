"""The charset of a text is decided from its bytes alone, and doubt is flagged (protocol.md §8)."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.vocabulary import Charset, decode

AUTO, UTF_8, GB18030 = Charset.AUTO, Charset.UTF_8, Charset.GB18030
EVERYDAY = (Path(__file__).parent / "everyday.txt").read_text("utf-8").split()

CASES = [
    # what it is, bytes, text, charset, certain
    ("ASCII", b"YES 1", "YES 1", UTF_8, True),
    ("nothing", b"", "", UTF_8, True),
    ("Chinese in UTF-8", "你好".encode(), "你好", UTF_8, True),
    ("Chinese in GBK", "你好".encode("gbk"), "你好", GB18030, True),
    ("one character in GBK that is no UTF-8", "好".encode("gbk"), "好", GB18030, True),
    ("停 in GBK is two bytes of valid UTF-8, a Greek letter", b"\xcd\xa3", "停", GB18030, False),
    ("要 in GBK likewise", b"\xd2\xaa", "要", GB18030, False),
    ("谢谢 in GBK likewise, twice", b"\xd0\xbb\xd0\xbb", "谢谢", GB18030, False),
    ("停 in GBK among ASCII", b"Q \xcd\xa3 1", "Q 停 1", GB18030, False),
    ("停 in UTF-8", "停".encode(), "停", UTF_8, True),
    ("é in UTF-8 is taken for GBK: a two-byte letter is likelier Chinese", "é".encode(), "茅", GB18030, False),
    ("é beside Chinese in UTF-8", "café 好".encode(), "café 好", UTF_8, True),
    ("Hebrew beside Chinese in UTF-8", "ֱ好".encode(), "ֱ好", UTF_8, True),
    ("a rare word in GBK that is UTF-8 of an empty plane", "瘠薄".encode("gbk"), "瘠薄", GB18030, False),
    ("a rare word in GBK that is UTF-8 of no character", "甬江".encode("gbk"), "\U0002ef6d", UTF_8, False),
    ("emoji in UTF-8", "好😀".encode(), "好😀", UTF_8, True),
    ("emoji alone in UTF-8", "😀".encode(), "😀", UTF_8, True),
    ("a flag made of tags in UTF-8", "🏴\U000e0067\U000e007f".encode(), "🏴\U000e0067\U000e007f", UTF_8, True),
    ("emoji in GB18030, four bytes", "好😀".encode("gb18030"), "好😀", GB18030, True),
    ("a rare character of four bytes in GB18030", "㐂𠀀".encode("gb18030"), "㐂𠀀", GB18030, True),
    ("the euro of Windows' code page 936", b"\xba\xc3\x80", "好€", GB18030, True),
    ("the euro of GB18030", "€".encode("gb18030"), "€", GB18030, True),
    ("a traditional character, in GBK and not in GB2312", "電話".encode("gbk"), "電話", GB18030, True),
    ("broken in the middle", b"\xba\xc3\xff\xff", "\ufffd\ufffd\ufffd\ufffd", UTF_8, False),
    ("UTF-8 cut off", "停止".encode()[:-1] + b"\xff", "停\ufffd\ufffd", UTF_8, False),
    ("half a character", b"\xba", "\ufffd", UTF_8, False),
]


@pytest.mark.parametrize(("raw", "text", "charset", "certain"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_the_charset_is_decided_by_the_bytes(raw: bytes, text: str, charset: Charset, certain: bool) -> None:
    decoded = decode(raw)
    assert (decoded.text, decoded.charset, decoded.certain) == (text, charset, certain)


FIXED = [
    ("UTF-8 as fixed", UTF_8, "停".encode(), "停", True),
    ("a Greek letter, because UTF-8 is fixed", UTF_8, b"\xcd\xa3", "\u0363", True),
    ("GBK where UTF-8 is fixed", UTF_8, "你好".encode("gbk"), "\ufffd\ufffd\ufffd", False),
    ("GB18030 as fixed", GB18030, b"\xcd\xa3", "停", True),
    ("UTF-8 where GB18030 is fixed", GB18030, "你好".encode(), "浣犲ソ", True),
    ("the euro byte where GB18030 is fixed", GB18030, b"\x80", "€", True),
    ("broken where GB18030 is fixed", GB18030, b"\xba\xc3\xff", "好\ufffd", False),
    ("ASCII where GB18030 is fixed", GB18030, b"0000", "0000", True),
]


@pytest.mark.parametrize(("fixed", "raw", "text", "certain"), [pytest.param(*case[1:], id=case[0]) for case in FIXED])
def test_a_fixed_charset_is_not_second_guessed(fixed: Charset, raw: bytes, text: str, certain: bool) -> None:
    decoded = decode(raw, fixed)
    assert (decoded.text, decoded.charset, decoded.certain) == (text, fixed, certain)


@pytest.mark.parametrize("charset", [AUTO, UTF_8])
def test_everyday_replies_in_utf_8_read_right_and_certain(charset: Charset) -> None:
    read = {reply: decode(reply.encode(), charset) for reply in EVERYDAY}
    assert [reply for reply, decoded in read.items() if decoded.text != reply or not decoded.certain] == []


@pytest.mark.parametrize("charset", [AUTO, GB18030])
def test_everyday_replies_in_gbk_read_right(charset: Charset) -> None:
    read = {reply: decode(reply.encode("gbk"), charset) for reply in EVERYDAY}
    assert [reply for reply, decoded in read.items() if decoded.text != reply] == []


def test_everyday_replies_are_enough_to_mean_something_and_hold_the_hard_ones() -> None:
    assert len(set(EVERYDAY)) >= 300
    also_utf_8 = [
        reply for reply in EVERYDAY if reply.encode("gbk").decode("utf-8", "ignore").encode() == reply.encode("gbk")
    ]
    assert {"停", "要", "谢谢", "医院", "什么"} <= set(also_utf_8)


@given(st.binary(max_size=40))
def test_any_bytes_decode(raw: bytes) -> None:
    for charset in Charset:
        decoded = decode(raw, charset)
        assert decoded.charset is not AUTO
        assert (
            "\ufffd" not in decoded.text
            or not decoded.certain
            or "\ufffd".encode() in raw
            or b"\x84\x31\xa4\x37" in raw
        )
        decoded.text.encode("utf-8")  # no lone surrogates: every database can hold it


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=1, max_size=40))
def test_chinese_in_utf_8_is_never_taken_for_anything_else(text: str) -> None:
    assert decode(text.encode()).text == text

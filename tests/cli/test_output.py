"""What is printed: the same values, safe wherever they land."""

import io
import json
import sys
from datetime import UTC, datetime

import pytest

from receiver.cli import output
from receiver.cli.output import Column, escaped, masked, render, terminal_safe
from receiver.export.values import defused, json_line

COLUMNS = [Column("at", "at (UTC+8)"), Column("text", "text"), Column("sure", "sure"), Column("hidden")]
ROW = {"at": datetime(2025, 6, 3, 17, 0, tzinfo=UTC), "text": "[bold]=1[/bold] 你", "sure": True, "hidden": None}


def test_a_table_shows_china_time_and_texts_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    render([ROW], COLUMNS, "table")
    said = capsys.readouterr().out.splitlines()
    assert said[0].split() == ["at", "(UTC+8)", "text", "sure"]
    assert said[1].split("  ")[0].strip() == "2025-06-04 01:00:00"
    assert "[bold]=1[/bold] 你" in said[1]
    assert said[1].rstrip().endswith("yes")


def test_csv_of_a_list_is_plain_utf_8(capsys: pytest.CaptureFixture[str]) -> None:
    render([ROW, {**ROW, "text": "=1"}], COLUMNS, "csv")
    assert capsys.readouterr().out.splitlines() == [
        "at,text,sure,hidden",
        "2025-06-03T17:00:00.000000Z,[bold]=1[/bold] 你,true,",
        "2025-06-03T17:00:00.000000Z,'=1,true,",
    ]


@pytest.mark.parametrize("encoding", ["ascii", "gbk"])
@pytest.mark.parametrize("chosen", ["table", "json", "csv"])
def test_a_program_gets_utf_8_whatever_the_locale(
    chosen: output.Format, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    render([{**ROW, "text": "你😀"}], COLUMNS, chosen)
    sys.stdout.flush()
    assert "你😀" in written.getvalue().decode("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain 你好 😀", "plain 你好 😀"),
        ("\u3000full-width space", "\u3000full-width space"),
        ("family 👨\u200d👩\u200d👧", "family 👨\u200d👩\u200d👧"),
        ("a\r\nb\tc", "a␍↵b→c"),
        ("\x1b[2J", r"\u001b[2J"),
        ("\u009b2J\u0085", r"\u009b2J\u0085"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("\u2028\u2029\ufeff\u200b", r"\u2028\u2029\ufeff\u200b"),
        ("\ud800", r"\ud800"),
    ],
)
def test_a_terminal_obeys_nothing(text: str, shown: str) -> None:
    assert terminal_safe(text) == shown


def test_json_holds_every_text() -> None:
    text = "".join(map(chr, [*range(0x300), 0x2028, 0x202E, 0xE0001, 0x1F600]))
    line = json_line({"text": text}, [Column("text")])
    assert json.loads(line) == {"text": text}
    assert not set(line) & {"\x7f", "\x9b", "\u2028", "\u202e", "\U000e0001"}


@pytest.mark.parametrize("text", ["=1", "+1a", "-1", "@x", "\tx", "\rx", "\nx", "'x", "''", "＝1", "+", "+86 139"])
def test_what_a_spreadsheet_would_run_is_defused_and_can_be_restored(text: str) -> None:
    assert defused(text) == "'" + text


@pytest.mark.parametrize("text", ["", "x=1", "0000", "+8613912345678", "+86139****5678", "你", " =1"])
def test_what_is_harmless_stays(text: str) -> None:
    assert defused(text) == text


def test_bytes_are_told_apart() -> None:
    assert escaped(b"a\\x41\xff\n%41") == r"a\\x41\xff\x0a%41"


def test_masking_leaves_the_rest() -> None:
    row = {"src": "+8613912345678", "src_wire": "１３９１２３４５６７８", "text": "13912345678", "phone": None}
    assert masked(row, "src", "src_wire", "phone") == {
        "src": "+86139****5678",
        "src_wire": "１３９****５６７８",
        "text": "13912345678",
        "phone": None,
    }

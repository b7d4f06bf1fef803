"""``receiver messages export``: whole phones, whole files, and nothing a spreadsheet would run."""

import csv
import io
import json
import os
import re
import stat
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from receiver.cli import export, output
from receiver.export import FORMATS, formats
from tests.cli.conftest import Filled, Run, on_terminal
from tests.cli.test_messages import CONTRACT
from tests.processes import run as run_apart

TEXTS = [
    "=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "'", "'=1", "=", "＝1+1", "", "退订", 'a"b,c\nd', "€😀",
    "\u009b\u202e", "_x0041_", "_", "_x000D_x", "#N/A", "TRUE", "1e5", "0000 ", "\ufffe", "line\r\nend",
]  # fmt: skip


def _query(text: str) -> bytes:
    escaped = "".join(f"%{byte:02X}" for byte in text.encode())
    return f"src=13912345678&dst=1069&msg={escaped}".encode()


@pytest.fixture
def texts(filled: Filled) -> list[str]:
    """The texts of the replies that are stored, newest first."""
    for text in TEXTS:
        filled.reply(_query(text))
    return TEXTS[::-1]


def test_jsonl_is_the_default_and_never_masked(texts: list[str], run: Run) -> None:
    ran = run("messages", "export")
    assert [row["text"] for row in ran.rows] == texts
    assert {row["src"] for row in ran.rows} == {"+8613912345678"}
    assert list(ran.rows[0]) == CONTRACT
    assert ran.err == ""


def test_csv_for_spreadsheets_has_no_formula_and_gives_every_text_back(
    texts: list[str], run: Run, tmp_path: Path
) -> None:
    assert run("messages", "export", "--format", "csv", "-o", "all.csv").status == 0
    written = (tmp_path / "all.csv").read_bytes()
    assert written.startswith(b"\xef\xbb\xbf" + ",".join(CONTRACT).encode() + b"\r\n")
    rows = list(csv.DictReader(io.StringIO(written.decode("utf-8-sig"), newline="")))
    cells = [row["text"] for row in rows]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝"))]
    assert [cell[1:] if cell.startswith("'") else cell for cell in cells] == texts
    assert {row["src"] for row in rows} == {"+8613912345678"}
    assert rows[0]["charset_certain"] == "true"
    assert rows[0]["duplicate_of"] == ""


def test_a_sender_that_is_no_phone_is_defused_too(sqlite: Filled, run: Run) -> None:
    sqlite.reply(b"src=%2Bcmd|%27calc%27&dst=1069&msg=x")
    assert ",'+cmd|" in run("messages", "export", "--format", "csv").out


def test_xlsx_holds_text_alone(texts: list[str], run: Run, tmp_path: Path) -> None:
    assert run("messages", "export", "--format", "xlsx", "-o", "all.xlsx").status == 0
    sheet = load_workbook(tmp_path / "all.xlsx").active
    assert sheet is not None
    [heading, *rows] = sheet.iter_rows()
    assert [cell.value for cell in heading] == CONTRACT
    assert {cell.data_type for row in rows for cell in row if cell.value is not None} == {"s"}
    column = CONTRACT.index("text")
    assert [_xstring(row[column].value) for row in rows] == texts
    assert rows[0][CONTRACT.index("src")].value == "+8613912345678"


def _xstring(value: Any) -> str:
    """A cell's text as ECMA-376 has spreadsheets read it."""
    import re

    return re.sub("_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), value or "")


def test_a_workbook_goes_on_in_another_sheet(
    texts: list[str], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "ROWS_OF_A_SHEET", 10)
    assert run("messages", "export", "--format", "xlsx", "-o", "all.xlsx").status == 0
    workbook = load_workbook(tmp_path / "all.xlsx")
    assert workbook.sheetnames == ["messages", "messages 2", "messages 3"]
    assert [sheet.max_row for sheet in workbook.worksheets] == [11, 11, len(TEXTS) - 20 + 1]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "xlsx"])
def test_nothing_found_is_a_file_all_the_same(kind: str, sqlite: Filled, run: Run, tmp_path: Path) -> None:
    assert run("messages", "export", "--format", kind, "-o", "none").status == 0
    assert (tmp_path / "none").exists()


def test_a_file_is_not_replaced_unless_forced(sqlite: Filled, run: Run, tmp_path: Path) -> None:
    sqlite.reply(_query("hi"))
    path = tmp_path / "all.jsonl"
    path.write_text("precious")
    ran = run("messages", "export", "-o", path)
    assert ran.status == 1
    assert "--force" in ran.err
    assert path.read_text() == "precious"
    assert run("messages", "export", "-o", path, "--force").status == 0
    assert json.loads(path.read_text())["text"] == "hi"


def test_a_file_is_for_its_owner_alone(sqlite: Filled, run: Run, tmp_path: Path) -> None:
    run("messages", "export", "-o", "all.jsonl")
    assert stat.S_IMODE((tmp_path / "all.jsonl").stat().st_mode) == 0o600


def test_an_export_that_fails_leaves_no_file(
    sqlite: Filled, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> Iterator[bytes]:
        yield b"{"
        raise OSError(28, "No space left on device")

    failing: formats.Write = fail
    before = set(tmp_path.iterdir())
    monkeypatch.setitem(FORMATS, "jsonl", failing)
    ran = run("messages", "export", "-o", "all.jsonl")
    assert (ran.status, ran.err) == (1, "Error: can't write all.jsonl: No space left on device\n")
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("target", ["a-pipe", ".", "missing/all.jsonl"])
def test_what_is_no_place_for_a_file_is_refused(target: str, sqlite: Filled, run: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a-pipe")  # not a device of this machine: were the check broken, it would be replaced
    ran = run("messages", "export", "-o", target, "--force")
    assert ran.status == 1
    assert target in ran.err


def test_a_link_is_followed(sqlite: Filled, run: Run, tmp_path: Path) -> None:
    (tmp_path / "real.jsonl").touch()
    (tmp_path / "link.jsonl").symlink_to("real.jsonl")
    sqlite.reply(_query("hi"))
    assert run("messages", "export", "-o", "link.jsonl", "--force").status == 0
    assert (tmp_path / "link.jsonl").is_symlink()
    assert "hi" in (tmp_path / "real.jsonl").read_text()


def test_xlsx_needs_a_file(sqlite: Filled, run: Run) -> None:
    ran = run("messages", "export", "--format", "xlsx")
    assert (ran.status, ran.out) == (2, "")
    assert "-o FILE" in ran.err


@pytest.mark.parametrize("command", ["export", "list"])
def test_a_full_disk_is_one_line(sqlite: Filled, command: str) -> None:
    sqlite.reply(_query("hi"))
    with open("/dev/full", "wb") as full:
        ran = run_apart("receiver", "messages", command, stdout=full, text=True)
    assert ran.returncode == 1
    assert re.fullmatch(r"Error: .*No space left on device\n", ran.stderr)


def test_a_terminal_sees_how_far_it_is(sqlite: Filled) -> None:
    for number in range(3):
        sqlite.reply(_query(str(number)))
    assert "3 exported" in on_terminal(["messages", "export", "-o", "all.jsonl"]).out


@pytest.mark.parametrize("kind", ["jsonl", "csv", "xlsx"])
def test_many_rows_take_no_more_memory_than_few(kind: str, tmp_path: Path) -> None:
    columns = [output.Column("id"), output.Column("text")]

    def peak(number: int) -> int:
        def rows() -> Iterator[dict[str, str]]:
            for each in range(number):
                yield {"id": str(each), "text": f"a text of its own {each}"}

        tracemalloc.start()
        export.write(rows(), columns, kind, tmp_path / "many", force=True)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(10)
    assert peak(20_000) < peak(2_000) + 300_000

"""Rows as a file of JSON lines, CSV or a workbook, in constant memory."""

import codecs
import csv
import io
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Protocol

from .values import Named, Row, cell, csv_cells, json_line

# A sheet holds 1,048,576 rows, the heading included.
ROWS_OF_A_SHEET = 1_000_000
# What XML 1.0 can't hold or would change, and what looks as if it were escaped so already: both are written _xHHHH_
# (ECMA-376, ST_Xstring), which spreadsheets show as the character.
_NOT_XML = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")

# Of a workbook, bytes that are kept in memory before it goes to a file; and those that are sent at a time.
_IN_MEMORY, _PIECE = 8 << 20, 64 << 10


class Write(Protocol):
    """The pieces of a file with these rows; ``title`` is what its sheets are called, where it has any."""

    def __call__(
        self, rows: Iterable[Row], columns: Sequence[Named], *, title: str = "messages"
    ) -> Iterator[bytes]: ...


def _jsonl(rows: Iterable[Row], columns: Sequence[Named], *, title: str = "") -> Iterator[bytes]:
    for row in rows:
        yield json_line(row, columns).encode() + b"\n"


def _csv(rows: Iterable[Row], columns: Sequence[Named], *, title: str = "") -> Iterator[bytes]:
    line = io.StringIO()
    writer = csv.writer(line)
    yield codecs.BOM_UTF8  # so that spreadsheets take it for UTF-8
    for cells in chain([[column.name for column in columns]], (csv_cells(row, columns) for row in rows)):
        writer.writerow(cells)
        yield line.getvalue().encode()
        line.seek(0)
        line.truncate()


def _xlsx(rows: Iterable[Row], columns: Sequence[Named], *, title: str = "messages") -> Iterator[bytes]:
    # Its end has to be known before its beginning.
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    workbook = Workbook(write_only=True)
    sheet: Any = None

    def text_cell(value: Any) -> Any:
        text = cell(value)
        if not text:
            return None
        made: Any = WriteOnlyCell(sheet, _NOT_XML.sub(lambda found: f"_x{ord(found[0]):04X}_", text))
        made.data_type = "s"  # text that begins with = is no formula
        return made

    for number, row in enumerate(rows):
        if number % ROWS_OF_A_SHEET == 0:
            sheet = _new_sheet(workbook, columns, title)
        sheet.append([text_cell(row[column.name]) for column in columns])
    if sheet is None:
        _new_sheet(workbook, columns, title)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as held:
        workbook.save(held)
        held.seek(0)
        while piece := held.read(_PIECE):
            yield piece


def _new_sheet(workbook: Any, columns: Sequence[Named], title: str) -> Any:
    sheet = workbook.create_sheet(f"{title} {len(workbook.worksheets) + 1}" if workbook.worksheets else title)
    sheet.freeze_panes = "A2"
    sheet.append([column.name for column in columns])
    return sheet


FORMATS: dict[str, Write] = {
    "jsonl": _jsonl,
    "csv": _csv,
    "xlsx": _xlsx,
}

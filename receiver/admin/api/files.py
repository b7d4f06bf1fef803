"""Rows that are answered as a file, which is sent while it is read: its forms, its description, and its response."""

import errno
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from flask import Response, request
from pydantic import Field

from receiver.export import FORMATS, Row, gzipped, joined
from receiver.store.errors import StoreError

from ..progress import Progress

_log = logging.getLogger(__name__)
_MEDIA = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_CELLS = (
    "CSV begins with a byte order mark, so that Excel opens Chinese. A cell that a spreadsheet could take for a "
    "formula (it begins with `= + - @`, a tab or a line end, or one of them full-width) gets a leading apostrophe, and "
    "so does one that begins with an apostrophe, and whatever begins so behind a semicolon, a tab or a line end: take "
    "one away to have the text again. In a workbook all cells are text, and a million rows make a sheet. "
    "`Accept-Encoding: gzip` is honoured."
)

Format = Literal["csv", "jsonl", "xlsx"]
FORMAT: Format = Field("jsonl", description="CSV for spreadsheets, JSON lines, or a workbook")


@dataclass(frozen=True, slots=True)
class _Column:
    name: str


@dataclass(frozen=True, slots=True)
class Files:
    """Files of one kind of rows: what they are called, and the fields that they have."""

    name: str
    fields: Sequence[str]

    def declared(self, order: str, example: Row) -> dict[str, Any]:
        """What a route that answers so declares. ``order`` is that of its rows; what ``example`` lacks is empty."""
        row = {field: example.get(field) for field in self.fields}

        def shown(form: Format) -> str:
            """How a file of one row begins, without the byte order mark."""
            return b"".join(FORMATS[form]([row], self._columns)).decode("utf-8-sig")

        answer = {
            "description": f"The file, {order}",
            "headers": {
                "Content-Disposition": {
                    "description": "A name for the file",
                    "schema": {"type": "string"},
                    "example": f'attachment; filename="{self.name}-20260603T090000Z.csv"',
                }
            },
            "content": {
                "application/x-ndjson": {"schema": {"type": "string"}, "example": shown("jsonl")},
                "text/csv": {"schema": {"type": "string"}, "example": shown("csv")},
                _MEDIA["xlsx"]: {"schema": {"type": "string", "contentMediaType": _MEDIA["xlsx"]}},
            },
        }
        return {"answers": {200: answer}, "extra": _CELLS}

    def answer(self, rows: Iterable[Row], form: Format, progress: Progress | None = None) -> Response:
        """The response, whose body is read from ``rows`` while it is sent; ``progress`` is told how far it is."""
        counted = rows if progress is None else progress.counted(rows)
        pieces = joined(FORMATS[form](counted, self._columns, title=self.name))
        compress = form != "xlsx" and request.accept_encodings["gzip"] > 0
        body = _guarded(gzipped(pieces) if compress else pieces)
        response = Response(body if progress is None else progress.watched(body), content_type=_MEDIA[form])
        name = f"{self.name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{form}"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        response.headers["Vary"] = "Accept-Encoding"
        if compress:
            response.headers["Content-Encoding"] = "gzip"
        return response

    @property
    def _columns(self) -> list[_Column]:
        return [_Column(field) for field in self.fields]


def _guarded(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """``pieces``; where they end too early the connection is broken off, so that nobody takes the file for whole."""
    try:
        yield from pieces
    except (StoreError, OSError) as failure:
        _log.error("an export was broken off: %s", type(failure).__name__)
        raise ConnectionResetError(errno.ECONNRESET, "broken off") from None

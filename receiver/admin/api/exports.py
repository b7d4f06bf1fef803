"""Exports of messages over the API: all that match, as a file that is sent while it is read."""

import errno
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from flask import Response, g, request
from pydantic import ConfigDict, Field

from receiver.access import Action, Scope
from receiver.export import FORMATS, gzipped, joined
from receiver.store import messages
from receiver.store.errors import StoreError
from receiver.store.store import Store
from receiver.vocabulary import mask

from ..parts import parts
from .gate import act
from .messages import MessageFilters
from .routes import Routes

routes = Routes("Exports", "All messages that match, as one file.")

_log = logging.getLogger(__name__)
# Rows of one question: each is a transaction of its own, so that a slow reader holds up nothing.
_AT_ONCE = 500
_MEDIA = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class ExportQuery(MessageFilters):
    model_config = ConfigDict(extra="forbid")

    format: Literal["csv", "jsonl", "xlsx"] = Field(
        "jsonl", description="CSV for spreadsheets, JSON lines, or a workbook"
    )


@dataclass(frozen=True, slots=True)
class _Column:
    name: str


_COLUMNS = [_Column(name) for name in messages.FIELDS]


def _shown(form: str) -> str:
    """How a file of one message begins, without the byte order mark."""
    row = {
        "id": "0197b7a2-7b7a-7b7a-8b7a-7b7a7b7a7b7a",
        "received_at": "2026-06-03T09:00:00.000000Z",
        "origin": "push",
        "kind": "reply",
        "src": "+8613900000001",
        "src_wire": "13900000001",
        "dst": "10690001",
        "text": "你好",
        "charset": "gb18030",
        "charset_certain": True,
    }
    whole = {column.name: row.get(column.name) for column in _COLUMNS}
    return b"".join(FORMATS[form]([whole], _COLUMNS)).decode("utf-8-sig")


@routes.get(
    "/messages/export",
    scope=Scope.MESSAGES_READ,
    answers={
        200: {
            "description": "The file, newest first",
            "headers": {
                "Content-Disposition": {
                    "description": "A name for the file",
                    "schema": {"type": "string"},
                    "example": 'attachment; filename="messages-20260603T090000Z.csv"',
                }
            },
            "content": {
                "application/x-ndjson": {"schema": {"type": "string"}, "example": _shown("jsonl")},
                "text/csv": {"schema": {"type": "string"}, "example": _shown("csv")},
                _MEDIA["xlsx"]: {"schema": {"type": "string", "contentMediaType": _MEDIA["xlsx"]}},
            },
        }
    },
)
def export_messages(query: ExportQuery) -> Response:
    """Export messages

    Every message that matches and was there when this began, with the fields of a message, as it is when it is read.
    Sent in pieces: a connection that ends without the last one (of chunked encoding) means that the file is not whole.

    CSV begins with a byte order mark, so that Excel opens Chinese. A cell that a spreadsheet could take for a formula
    (it begins with `= + - @`, a tab or a line end, or one of them full-width) gets a leading apostrophe, and so does
    one that begins with an apostrophe: take one away to have the text again. In a workbook all cells are text, and a
    million rows make a sheet. `Accept-Encoding: gzip` is honoured.
    """
    store, chosen = parts().store, query.chosen()
    with store.reading() as transaction:
        newest = messages.page(transaction, chosen, limit=1)
    # Before anything is shown: who exports is known, whatever becomes of it.
    act(Action.MESSAGES_EXPORTED, None, format=query.format, filters=_told(query)).record(store)
    rows = _rows(store, chosen, newest[0]["id"] if newest else None)
    pieces = joined(FORMATS[query.format](rows, _COLUMNS))
    compress = query.format != "xlsx" and request.accept_encodings["gzip"] > 0
    response = Response(
        _guarded(gzipped(pieces) if compress else pieces, g.request_id), content_type=_MEDIA[query.format]
    )
    name = f"messages-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{query.format}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Vary"] = "Accept-Encoding"
    if compress:
        response.headers["Content-Encoding"] = "gzip"
    return response


def _rows(store: Store, chosen: messages.Filter, newest: UUID | None) -> Iterator[Any]:
    """The messages from ``newest`` on back, a page at a time."""
    if newest is None:
        return
    # Up to it and with it: what comes in meanwhile is for the next export.
    older_than = UUID(int=newest.int + 1)
    while True:
        with store.reading() as transaction:
            rows = messages.page(transaction, chosen, older_than=older_than, limit=_AT_ONCE)
        yield from rows
        if len(rows) < _AT_ONCE:
            return
        older_than = rows[-1]["id"]


def _guarded(pieces: Iterator[bytes], request_id: str) -> Iterator[bytes]:
    """``pieces``; where they end too early the connection is broken off, so that nobody takes the file for whole."""
    try:
        yield from pieces
    except (StoreError, OSError) as failure:
        _log.error("request %s: an export was broken off: %s", request_id, type(failure).__name__)
        raise ConnectionResetError(errno.ECONNRESET, "broken off") from None


def _told(query: ExportQuery) -> dict[str, Any]:
    """The filters for the audit, without phones and texts."""
    given = query.model_dump(mode="json", exclude_none=True, exclude={"format"})
    if "src" in given:
        given["src"] = mask("".join(char for char in given["src"] if char.isalnum() or char == "+"))
    if "text" in given:
        given["text"] = f"{len(given['text'])} characters"
    return given

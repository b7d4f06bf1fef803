"""Exports of messages over the API: all that match, as a file that is sent while it is read."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from flask import Response
from pydantic import ConfigDict

from receiver.access import Act, Action, Scope
from receiver.store import messages
from receiver.store.store import Store
from receiver.vocabulary import mask

from ..parts import parts
from ..progress import Progress
from .files import FORMAT, Files, Format
from .gate import act
from .messages import MessageFilters
from .routes import Routes

routes = Routes("Exports", "All messages that match, as one file.")

# Rows of one question: each is a transaction of its own, so that a slow reader holds up nothing.
_AT_ONCE = 500


class ExportQuery(MessageFilters):
    model_config = ConfigDict(extra="forbid")

    format: Format = FORMAT


_FILES = Files("messages", messages.FIELDS)
_EXAMPLE = {
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


@routes.get("/messages/export", scope=Scope.MESSAGES_READ, **_FILES.declared("newest first", _EXAMPLE))
def export_messages(query: ExportQuery) -> Response:
    """Export messages

    Every message that matches and was there when this began, with the fields of a message, as it is when it is read.
    Sent in pieces: a connection that ends without the last one (of chunked encoding) means that the file is not whole.
    """
    given = query.model_dump(mode="json", exclude_none=True, exclude={"format"})
    return exported(query.chosen(), query.format, act(Action.MESSAGES_EXPORTED, None, **told(query.format, given)))


def exported(chosen: messages.Filter, form: Format, note: Act, progress: Progress | None = None) -> Response:
    """The messages as a file; ``note`` says who exports, and is written before anything is shown. Raises StoreError."""
    store = parts().store
    with store.reading() as transaction:
        newest = messages.page(transaction, chosen, limit=1)
        if progress is not None:
            progress.begin(messages.count(transaction, chosen))
    note.record(store)
    rows = _rows(store, chosen, newest[0]["id"] if newest else None)
    return _FILES.answer(rows, form, progress)


def told(form: Format, filters: Mapping[str, Any]) -> dict[str, Any]:
    """What the audit has of an export: its filters, without phones and texts."""
    given = dict(filters)
    if "src" in given:
        given["src"] = mask("".join(char for char in given["src"] if char.isalnum() or char == "+"))
    if "text" in given:
        given["text"] = f"{len(given['text'])} characters"
    return {"format": form, "filters": given}


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

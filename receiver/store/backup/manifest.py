"""What a backup says of itself: what it was made of, when, and what must be in it."""

import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from ..tables import utc_text
from .errors import Broken, Unfit

FORMAT = 1
_NAME = re.compile("[a-z][a-z0-9_]*")
_REVISION = re.compile("[0-9]{4}")
_HASH = re.compile("[0-9a-f]{64}")
# More than there is of anything, and a number to every database.
_MOST = 10**17


@dataclass(frozen=True, slots=True)
class Content:
    """The rows of a table: a line each, so many bytes in all."""

    table: str
    columns: tuple[str, ...]
    rows: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A backup's description. ``feed_end`` is up to where positions had been given out (``store.feed``)."""

    receiver: str
    made_at: datetime
    engine: str
    revision: str
    ledger_sequence: int
    ledger_hash: str
    feed_end: int
    contents: tuple[Content, ...]

    @property
    def rows(self) -> int:
        return sum(content.rows for content in self.contents)

    def written(self) -> bytes:
        """As it stands in the file."""
        said = {"format": FORMAT, **asdict(self), "made_at": utc_text(self.made_at)}
        return json.dumps(said, indent=1).encode()


def read(written: bytes) -> Manifest:
    """The manifest that these bytes are. Raises Broken, Unfit."""
    try:
        said = json.loads(written)
        form = _number(said["format"])
        if form > FORMAT:
            raise Unfit(f"it is of format {form}, and this receiver reads {FORMAT}: use the newer receiver")
        manifest = Manifest(
            receiver=_text(said["receiver"]),
            made_at=_moment(said["made_at"]),
            engine=_text(said["engine"]),
            revision=_text(said["revision"], _REVISION),
            ledger_sequence=_number(said["ledger_sequence"]),
            ledger_hash=_text(said["ledger_hash"], _HASH),
            feed_end=_number(said["feed_end"]),
            contents=tuple(map(_content, said["contents"])),
        )
    except (KeyError, TypeError, ValueError, RecursionError):
        raise Broken("its description can't be read") from None
    names = [content.table for content in manifest.contents]
    if len(set(names)) != len(names):
        raise Broken("its description names a table twice")
    return manifest


def _content(said: Any) -> Content:
    columns = tuple(_text(column, _NAME) for column in said["columns"])
    return Content(
        table=_text(said["table"], _NAME),
        columns=columns,
        rows=_number(said["rows"]),
        size=_number(said["size"]),
        sha256=_text(said["sha256"], _HASH),
    )


def _text(value: Any, form: re.Pattern[str] | None = None) -> str:
    if not isinstance(value, str) or not value.isprintable() or (form and not form.fullmatch(value)):
        raise ValueError
    return value


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _MOST:
        raise ValueError
    return value


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None or not 2000 < moment.year < 9000:  # beyond are some that no zone can tell
        raise ValueError
    return moment

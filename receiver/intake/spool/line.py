"""One delivery as one line of the spool: its digest, then JSON. What was decided about it is kept as it was decided."""

import base64
import json
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, TypeAlias
from uuid import UUID

from receiver.vocabulary import Charset, Delivery, Kind, Origin, Quarantined, Reason, Reply, Undeliverable

Spooled: TypeAlias = Reply | Quarantined

# Begins a line and is in none: what follows a damaged one is found again.
BEGIN, END = b"\x1e", b"\n"
_DIGEST_BYTES = 16


class Corrupt(Exception):
    """Not what was written; the message says what is wrong, and quotes nothing."""


def line_of(item: Spooled) -> bytes:
    """``item`` as a line, with its begin and end."""
    told: dict[str, Any] = {"id": item.id.hex, "received_at": item.received_at.isoformat(), "peer": item.peer}
    if isinstance(item, Reply):
        told |= {"origin": item.origin, "reply": _plain(item.delivery)}
    else:
        told |= {"quarantined": _plain(item.undeliverable)}
    said = json.dumps(told, separators=(",", ":")).encode()
    return b"%s%s %s%s" % (BEGIN, _digest(said), said, END)


def item_of(line: bytes) -> Spooled:
    """What a line, without its begin and end, holds. Raises Corrupt."""
    digest, _, said = line.partition(b" ")
    if digest != _digest(said):
        raise Corrupt("its digest is another")
    return _item(said)


def likely_item_of(line: bytes) -> Spooled:
    """What a damaged line can still be read as, for a person to look at: any of it may be wrong. Raises Corrupt."""
    return _item(line.partition(b" ")[2])


def _item(said: bytes) -> Spooled:
    try:
        told = json.loads(said)
        _check_texts(told)
        common = UUID(told["id"]), datetime.fromisoformat(told["received_at"]).astimezone(UTC)
        if "reply" in told:
            return Reply(*common, Origin(told["origin"]), told["peer"], _delivery(told["reply"]))
        return Quarantined(*common, told["peer"], _undeliverable(told["quarantined"]))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as wrong:
        raise Corrupt("it makes no sense") from wrong


def _check_texts(told: Any) -> None:
    """Raise ValueError where a word is none that could be stored."""
    if isinstance(told, dict):
        for name, value in told.items():
            if isinstance(value, dict):
                _check_texts(value)
            elif name in ("charset_certain",):
                if not isinstance(value, bool):
                    raise ValueError(name)
            elif value is not None:
                value.encode()  # a number has none, and half a surrogate pair no bytes


def is_stop(item: Spooled) -> bool:
    """Whether somebody is opted out by it."""
    if isinstance(item, Reply):
        return item.delivery.kind is Kind.UNSUBSCRIBE
    return item.undeliverable.unsubscribes is not None


def _digest(said: bytes) -> bytes:
    return blake2b(said, digest_size=_DIGEST_BYTES).hexdigest().encode()


def _plain(part: Delivery | Undeliverable) -> dict[str, Any]:
    return {**asdict(part), "raw": base64.b64encode(part.raw).decode()}


def _delivery(told: dict[str, Any]) -> Delivery:
    raw = base64.b64decode(told.pop("raw"), validate=True)
    return Delivery(**{**told, "charset": Charset(told["charset"]), "kind": Kind(told["kind"])}, raw=raw)


def _undeliverable(told: dict[str, Any]) -> Undeliverable:
    raw = base64.b64decode(told.pop("raw"), validate=True)
    return Undeliverable(**{**told, "reason": Reason(told["reason"])}, raw=raw)

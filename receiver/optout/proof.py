"""A proof of one phone's opt-outs, gathered from one state of the database."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from itertools import pairwise
from typing import Any
from uuid import UUID

from receiver.store import ledger, messages, optouts, quarantine, readings, subscriptions
from receiver.store.store import Store
from receiver.vocabulary import as_it_came, phone_identity
from receiver.vocabulary.charset import decode
from receiver.vocabulary.ledger import GENESIS, skips_to, timestamp
from receiver.vocabulary.proof import (
    EVENT,
    FORMAT,
    MESSAGE,
    OPTOUT,
    QUARANTINED,
    READING,
    READINGS,
    SUBSCRIPTION,
    VERSION,
    Document,
    canonical,
    cause_of,
    fingerprint,
    path,
    raw_text,
    way,
)

from .proof_script import TEXTS
from .register import RegisterError

# Events of the ledger that one statement asks for.
_ASKED_AT_ONCE = 1_000


class NothingKnown(RegisterError):
    """The ledger has no event of this phone."""


def prove(store: Store, phone: str, region: str = "CN") -> Document:
    """The proof of ``phone``, written in any way: all that docs/proof.md says, as JSON values.

    It says what the database holds: whether that holds together is for ``proof_check`` to say.

    Raises NothingKnown, StoreError.
    """
    names = _names(phone, region)
    with store.snapshot() as connection:
        in_force = optouts.suppressed(connection, names)
        of_each = {name: rows for name in names if (rows := ledger.of_phone(connection, name))}
        identity = next((name for name in of_each if name in in_force), next(iter(of_each), None))
        if identity is None:
            raise NothingKnown("nothing is known of this phone: the ledger has no event of it")
        rows = of_each[identity]
        last, head_hash = ledger.head(connection)
        events = [_picked(row, EVENT) for row in rows]
        document: Document = {
            "format": FORMAT,
            "version": VERSION,
            "made_at": timestamp(datetime.now(UTC)),
            "phone": identity,
            "state": _state(in_force.get(identity)),
            **_chained(connection, rows, events, last),
            "causes": {cause: _cause(connection, cause, event) for cause, event in _causes(events).items()},
            "subscriptions": [
                _picked(row, SUBSCRIPTION) for row in reversed(subscriptions.of_phone(connection, identity))
            ],
            "head": {"sequence": last, "hash": head_hash},
            **TEXTS,
        }
    return {**document, "fingerprint": fingerprint(document)}


def _names(phone: str, region: str) -> list[str]:
    """What the ledger may have ``phone`` under: it may have been no phone number to us when it said stop."""
    identity = phone_identity(phone, region)
    names = ([identity] if identity else []) + [as_it_came(phone)]
    try:
        given = phone.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return names
    # Bytes of a command line that are no UTF-8 are read as the sender of an SMS is.
    is_utf_8 = given == phone.encode("utf-8", "replace")
    return names if is_utf_8 else [*names, as_it_came(decode(given).text)]


def as_json(document: Document) -> str:
    """The proof as a file: JSON that people can read too, in ASCII, so that no program takes it for anything else."""
    return json.dumps(document, indent=1) + "\n"


def _chained(connection: Any, rows: Any, events: list[dict[str, Any]], last: int) -> dict[str, Any]:
    """``start``: the path to the phone's first event; ``events``: each with the path to the next, or to the head."""
    stops = [0, *(row["sequence"] for row in rows), last]
    ways = [way(start, end) for start, end in pairwise(stops)]
    wanted = {number for steps in ways for step in steps for number in (step, step - 1, skips_to(step))}
    wanted.update(number for row in rows for number in (row["sequence"], skips_to(row["sequence"])))
    digest_of, hash_of = _lookups(connection, wanted - {0})
    paths = [path(start, end, digest_of, hash_of) for start, end in pairwise(stops)]
    shown = [
        {
            "event": event,
            "previous": row["previous"],
            "skipped": hash_of(skips_to(row["sequence"])),
            "hash": row["hash"],
            "path": to_next,
        }
        for row, event, to_next in zip(rows, events, paths[1:], strict=True)
    ]
    return {"start": paths[0], "events": shown}


def _lookups(connection: Any, wanted: set[int]) -> tuple[Callable[[int], str], Callable[[int], str]]:
    numbers = sorted(wanted)
    found: dict[int, tuple[str, str]] = {}
    for start in range(0, len(numbers), _ASKED_AT_ONCE):
        for number, row in ledger.at(connection, numbers[start : start + _ASKED_AT_ONCE]).items():
            found[number] = sha256(canonical(_picked(row, EVENT))).hexdigest(), row["hash"]
    # Where an event was removed from the ledger, the proof can't hold: let it be made, and the check say so.
    missing = (GENESIS, GENESIS)
    return (lambda number: found.get(number, missing)[0]), (lambda number: found.get(number, missing)[1])


def _causes(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The first event of each message and each quarantined delivery that made any, by the id of that."""
    causes: dict[str, dict[str, Any]] = {}
    for event in events:
        cause = cause_of(event)
        if cause is not None:
            causes.setdefault(cause, event)
    return causes


def _cause(connection: Any, identity: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """The SMS that made an event: what is stored of it, or that it was purged."""
    is_message = event["message_id"] is not None
    row = (messages if is_message else quarantine).get(connection, UUID(identity))
    kind = {"from": "messages" if is_message else "quarantine", "purged": row is None}
    if row is None:
        return kind
    raw: bytes = row["raw"]
    earlier = readings.of_message(connection, row["id"]) if is_message else ()
    return {
        **kind,
        **_picked(row, MESSAGE if is_message else QUARANTINED),
        **({READINGS: [_picked(each, READING) for each in earlier]} if earlier else {}),
        "raw_text": raw_text(raw),
        "raw_base64": b64encode(raw).decode("ascii"),
        "raw_sha256": sha256(raw).hexdigest(),
    }


def _state(row: Any) -> dict[str, Any]:
    if row is None:
        return {"opted_out": False, **dict.fromkeys(OPTOUT)}
    return {"opted_out": True, **_picked(row, OPTOUT)}


def _picked(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The named fields of a row as JSON values, as the ledger's canonical form has them."""
    return {name: _plain(row[name]) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return timestamp(value)
    return str(value) if isinstance(value, UUID) else value

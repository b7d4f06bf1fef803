"""Databases as they are after years: millions of opt-outs, a ledger of a million events, written in bulk."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from sqlalchemy import make_url

from receiver.store.store import Store
from receiver.store.tables import utc_text
from receiver.vocabulary.ledger import GENESIS, Event, EventType, chained, digest, skips_to
from receiver.vocabulary.register import SUBSCRIBER, Source
from tests.postgres import conninfo

Row = Sequence[Any]

_BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
_OPTOUTS = ("phone", "since", "source", "actor", "message_id")
_LEDGER = ("sequence", "at", "type", "actor", "phone", "message_id", "raw_sha256", "detail", "previous", "hash")
_HEAD = ("id", "sequence", "hash")
_ROWS_AT_ONCE = 50_000


def phone(number: int) -> str:
    """The identity of nobody's phone ``number``. Those with even numbers are opted out, the odd ones are not."""
    return f"+86154{number:08d}"


def fill_register(url: str, optouts: int) -> None:
    """Migrate an empty database, and opt out the phones 0, 2, 4 … in any order of time."""
    with closing(Store(url, pooled=False)) as store:
        store.ensure_current()
    write(url, "optouts", _OPTOUTS, (_optout(2 * number) for number in range(optouts)))
    settle(url)


def fill_ledger(url: str, events: int) -> str:
    """Migrate an empty database, and give it a valid ledger with the register that it says; the head's hash."""
    with closing(Store(url, pooled=False)) as store:
        store.ensure_current()
    in_force: dict[str, Row] = {}
    ends: list[tuple[int, str]] = []
    write(url, "ledger", _LEDGER, _chain(events, in_force, ends))
    write(url, "optouts", _OPTOUTS, in_force.values())
    settle(url, f"UPDATE ledger_head SET sequence = {ends[-1][0]}, hash = '{ends[-1][1]}'")
    return ends[-1][1]


def _chain(events: int, in_force: dict[str, Row], ends: list[tuple[int, str]]) -> Iterator[Row]:
    """The ledger's rows; ``ends`` is left with the last one and those that it skips back to."""
    ends.append((0, GENESIS))
    for sequence in range(1, events + 1):
        event = _event(sequence)
        previous = ends[-1][1]
        while ends[-1][0] != skips_to(sequence):
            ends.pop()
        ends.append((sequence, chained(previous, ends[-1][1], digest(sequence, event))))
        if event.type is EventType.OPTED_OUT and event.phone is not None:
            in_force[event.phone] = (event.phone, event.at, Source.SMS.value, event.actor, event.message_id)
        elif event.type is EventType.LIFTED and event.phone is not None:
            del in_force[event.phone]
        yield (
            *(sequence, event.at, event.type.value, event.actor, event.phone, event.message_id, event.raw_sha256),
            *(json.dumps(event.detail), previous, ends[-1][1]),
        )


def _event(sequence: int) -> Event:
    """Of ten events six are first stops, two cancel a service, one repeats a stop and one is lifted."""
    at = _BEGIN + timedelta(milliseconds=137 * sequence, microseconds=sequence % 1_000)
    said = sha256(b"0000").hexdigest()
    stop = UUID(int=sequence - sequence % 10)
    match sequence % 10:
        case 7 | 8:
            detail = {"service": f"service-{sequence % 10}"}
            return Event(EventType.SERVICE_CANCELLED, at, SUBSCRIBER, phone(sequence - 7), stop, said, detail)
        case 9:
            return Event(EventType.REPEATED, at, SUBSCRIBER, phone(sequence - 7), stop, said, {"source": "sms"})
        case 0:
            reason = "回电确认，用户要求恢复接收"
            return Event(EventType.LIFTED, at, "li.na", phone(sequence - 8), detail={"reason": reason})
        case _:
            return Event(EventType.OPTED_OUT, at, SUBSCRIBER, phone(sequence), stop, said, {"source": "sms"})


def _optout(number: int) -> Row:
    at = _BEGIN + timedelta(seconds=number * 7_919 % 200_000_000)
    return phone(number), at, Source.SMS.value, SUBSCRIBER, UUID(int=number)


def write(url: str, table: LiteralString, columns: Sequence[LiteralString], rows: Iterable[Row]) -> None:
    if url.startswith("sqlite"):
        _write_sqlite(url, table, columns, rows)
        return
    names = ", ".join(columns)
    copying: LiteralString = f"COPY {table} ({names}) FROM STDIN"
    with psycopg.connect(conninfo(url)) as connection, connection.cursor().copy(copying) as copy:
        for row in rows:
            copy.write_row(row)


def _write_sqlite(url: str, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    given = iter(rows)
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    with closing(sqlite3.connect(_file(url))) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        while some := [tuple(map(_sqlite_value, row)) for row in islice(given, _ROWS_AT_ONCE)]:
            with connection:
                connection.executemany(statement, some)


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return utc_text(value)
    return value.hex if isinstance(value, UUID) else value


def settle(url: str, statement: str | None = None) -> None:
    """Execute the last statement, and leave nothing to be tidied up while we measure."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(_file(url))) as connection:
            if statement is not None:
                with connection:
                    connection.execute(statement)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return
    with psycopg.connect(conninfo(url), autocommit=True) as server:
        for each in [*([statement] if statement else []), "VACUUM ANALYZE", "CHECKPOINT"]:
            server.execute(each.encode())


def _file(url: str) -> Path:
    return Path(make_url(url).database or "")

"""A row, or more, in every table that a database of some revision has; and what is in them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Connection, MetaData, RowMapping, Table, insert, inspect, select

from receiver.store import tables
from receiver.store.record import record
from receiver.store.services import Filing
from receiver.store.store import Store
from tests.intake.replies import quarantined, reply
from tests.store.test_record import WINDOW, subscribe

STOPPED, SUBSCRIBED = "+8613900007001", "+8613900007002"
AT = datetime(2026, 5, 1, 2, 3, 4, 5678, tzinfo=UTC)
ODD = "␀ 😀𠀀 \\N \\. \"'\r\n\t ]}\u2028\ufeff\ufffd\u202e"
SEND, PERSON, MESSAGE = (UUID(int=(7 << 76) | (2 << 62) | number) for number in range(3))
SECRET = "0" * 64

# What neither a migration nor the receive path puts there.
_ROWS: dict[str, list[dict[str, Any]]] = {
    "refusals": [{"peer": "203.0.113.7", "reason": "source", "count": 1 << 40, "first_at": AT, "last_at": AT}],
    "service_numbers": [
        {"number": "10690", "is_prefix": True, "service": "weather"},
        {"number": "10690", "is_prefix": False, "service": "weather"},
    ],
    "staged_subscriptions": [
        {"import_id": MESSAGE, "line": 1, "id": MESSAGE, "phone": SUBSCRIBED, "service": "weather", "since": AT}
    ],
    "sends": [{"id": SEND, "created_at": AT, "actor": "li", "text": ODD, "at": AT, "is_held": False, "is_long": True}],
    "send_batches": [
        {"send_id": SEND, "number": 1, "state": "answered", "not_before": AT, "attempts": 1, "code": 0},
        {"send_id": SEND, "number": 2, "state": "queued", "not_before": AT, "attempts": 0},
        {"send_id": SEND, "number": 3, "state": "sending", "not_before": AT, "attempts": 0, "claim": MESSAGE},
    ],
    "send_recipients": [
        {"send_id": SEND, "phone": f"+861390000800{batch}", "batch": batch, "written": "x", "state": state}
        for batch, state in [(1, "accepted"), (2, "queued"), (3, "queued")]
    ],
    "tasks": [{"name": "poll", "turns": 3, "next_at": AT, "failures": 0, "detail": ODD}],
    "pulled_replies": [{"gateway_id": "17", "fingerprint": SECRET, "message_id": MESSAGE}],
    "api_keys": [
        {
            "id": MESSAGE, "name": ODD, "prefix": "abc", "hash": SECRET, "scopes": "admin", "created_at": AT,
            "created_by": "li",
        }
    ],
    "audit": [
        {"id": MESSAGE, "at": AT, "action": "key.created", "actor": "li", "via": "cli", "detail": {"said": [ODD, None]}}
    ],
    "people": [
        {
            "id": PERSON, "name": ODD, "folded": "li", "role": "admin", "totp_step": 1 << 40, "zone": "UTC",
            "created_at": AT, "created_by": "li",
        }
    ],
    "recovery_codes": [{"person_id": PERSON, "code_hash": SECRET}],
    "invitations": [{"token_hash": SECRET, "person_id": PERSON, "created_at": AT, "expires_at": AT}],
    "sessions": [
        {"id": MESSAGE, "person_id": PERSON, "token_hash": SECRET, "created_at": AT, "last_seen_at": AT, "agent": ODD}
    ],
    "login_failures": [{"counter": "li", "count": 2, "last_at": AT}],
    "message_readings": [
        {
            "id": MESSAGE, "message_id": MESSAGE, "at": AT, "actor": "li", "text": ODD, "charset": "gb18030",
            "charset_certain": False, "kind": "reply",
        }
    ],
    "idempotency_keys": [
        {"key_id": MESSAGE, "key": ODD, "request_sha256": SECRET, "send_id": SEND, "created_at": AT}
    ],
    "message_counts": [{"quarter": 1, "service": "", "replies": 1 << 40, "unsubscribes": 0}],
    "acknowledged": [{"hour": 1, "step": 2, "count": 1 << 40, "longest": 3}],
}  # fmt: skip
_BY_WORKERS = {"search_buckets"}


def fill(store: Store) -> None:
    """Put rows into every table that is there."""
    subscribe(store, STOPPED, "weather", "news")
    subscribe(store, SUBSCRIBED, "weather")
    stop = reply("0000", STOPPED, at=AT + timedelta(seconds=1))
    replies = [reply(ODD), reply("hello", at=AT), reply("hello", at=AT), stop]
    with store.writing() as connection:
        record(connection, replies, [quarantined()], WINDOW, Filing({}, [("10690", "weather")]))
        for table in as_they_are(connection):
            if table.name in _ROWS:
                names = {name for row in _ROWS[table.name] for name in row} & set(table.columns.keys())
                for row in _ROWS[table.name]:
                    connection.execute(insert(table), {name: row.get(name) for name in names})
    empty = {name for name, found in contents(store).items() if not found}
    assert empty <= _BY_WORKERS


def as_they_are(connection: Connection) -> list[Table]:
    """The tables with the columns that they have in this database, which may be of an earlier revision."""
    found = inspect(connection)
    present = set(found.get_table_names())
    return [
        Table(table.name, MetaData(), *[_like(table.c[each["name"]]) for each in found.get_columns(table.name)])
        for table in tables.metadata.sorted_tables
        if table.name in present
    ]


def contents(store: Store) -> dict[str, list[RowMapping]]:
    """The rows of every table, as today's code reads their values."""
    with store.snapshot() as connection:
        return {
            table.name: list(connection.execute(select(table).order_by(*_key(table))).mappings())
            for table in as_they_are(connection)
        }


def _like(column: Column[Any]) -> Column[Any]:
    return Column(column.name, column.type)


def _key(table: Table) -> list[Column[Any]]:
    return [table.c[column.name] for column in tables.metadata.tables[table.name].primary_key]

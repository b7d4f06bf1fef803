"""The ledger's hash chain, against values that were worked out apart from our code."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest

from receiver.vocabulary.ledger import GENESIS, Event, EventType, canonical, chained, digest, skips_to, timestamp

EVENT = Event(
    type=EventType.OPTED_OUT,
    at=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    actor="subscriber",
    phone="+8613900001234",
    message_id=UUID("01234567-89ab-7def-8123-456789abcdef"),
    raw_sha256=sha256(b"0000").hexdigest(),
    detail={"source": "sms"},
)
CANONICAL = (
    b'{"actor":"subscriber","at":"2026-01-02T03:04:05.000006Z","detail":{"source":"sms"},'
    b'"message_id":"01234567-89ab-7def-8123-456789abcdef","phone":"+8613900001234",'
    b'"raw_sha256":"9af15b336e6a9619928537df30b2e6a2376569fcf9d7e773eccede65606529a0","sequence":1,"type":"opted_out"}'
)


def test_an_events_canonical_form_is_fixed_to_the_byte() -> None:
    assert canonical(1, EVENT) == CANONICAL


def test_an_events_hash_covers_the_one_before_the_one_skipped_to_and_its_own_digest() -> None:
    own = sha256(CANONICAL).hexdigest()
    assert digest(1, EVENT) == own
    assert chained("1" * 64, "2" * 64, own) == sha256(b"1" * 64 + b"2" * 64 + own.encode()).hexdigest()
    assert chained(GENESIS, GENESIS, own) == "27b720ad25544bef3b59e6aa4580c55fdfc64bf5acc6f9062239f5f15804a740"


@pytest.mark.parametrize(
    ("sequence", "skipped"), [(1, 0), (2, 0), (3, 2), (4, 0), (6, 4), (7, 6), (12, 8), (1025, 1024)]
)
def test_an_event_skips_back_to_its_number_with_the_lowest_binary_one_cleared(sequence: int, skipped: int) -> None:
    assert skips_to(sequence) == skipped


def test_other_languages_are_escaped_and_nothing_is_null() -> None:
    event = Event(EventType.SERVICE_CANCELLED, EVENT.at, "管理员", EVENT.phone, detail={"service": "天气"})
    assert canonical(2, event) == (
        rb'{"actor":"\u7ba1\u7406\u5458","at":"2026-01-02T03:04:05.000006Z","detail":{"service":"\u5929\u6c14"},'
        b'"message_id":null,"phone":"+8613900001234","raw_sha256":null,"sequence":2,"type":"service_cancelled"}'
    )


CHANGES: list[dict[str, Any]] = [
    {"type": EventType.REPEATED},
    {"at": EVENT.at + timedelta(microseconds=1)},
    {"actor": "admin"},
    {"phone": "+8613900001235"},
    {"message_id": None},
    {"raw_sha256": None},
    {"detail": {}},
    {"detail": {"source": "sms", "more": 1}},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_no_field_can_change_without_the_hash(change: dict[str, Any]) -> None:
    assert digest(1, replace(EVENT, **change)) != digest(1, EVENT)


def test_neither_place_nor_predecessors_can_change_without_the_hash() -> None:
    own = digest(1, EVENT)
    assert digest(2, EVENT) != own
    assert len({chained(GENESIS, GENESIS, own), chained("1" * 64, GENESIS, own), chained(GENESIS, "1" * 64, own)}) == 3


def test_one_moment_has_one_form() -> None:
    china = timezone(timedelta(hours=8))
    assert timestamp(datetime(2026, 1, 2, 11, 4, 5, tzinfo=china)) == "2026-01-02T03:04:05.000000Z"

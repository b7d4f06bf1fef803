"""What monitoring reads from the database: each number as it was put in, on either engine."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import insert, update

from receiver.store import counts, tables
from receiver.store.operating import operating
from receiver.store.store import Store
from receiver.vocabulary import Reason
from receiver.vocabulary.periods import quarter_of
from tests.filled import Filled

NOW = datetime.now(UTC)
WEEKS = timedelta(weeks=10)


def test_an_empty_database_has_nothing_of_anything(store: Store) -> None:
    with store.snapshot() as connection:
        found = operating(connection, NOW, busy_for=WEEKS)
    assert (found.optouts, found.events, found.is_ledger_intact, found.quarantined) == (0, 0, True, 0)
    assert (found.batches, found.due_since, found.in_doubt) == ({"queued": 0, "sending": 0}, None, 0)
    assert (found.last_reply, found.busy, found.acknowledged, found.tasks) == (None, [], None, [])
    assert found.size > 10_000


def test_what_is_there_is_told(store: Store, database_url: str) -> None:
    filled = Filled(database_url)
    quarter = NOW.replace(minute=0, second=0, microsecond=0)
    for days in (100, 40, 40, 1):
        filled.reply(b"src=13900000001&dst=1069&msg=hello", at=quarter - timedelta(days=days))
    filled.reply(b"src=13900000001&dst=1069&msg=0000", at=quarter)
    filled.kept(b"dst=1069&msg=hello", reason=Reason.MISSING_SRC)
    filled.store.close()
    send, due = uuid4(), NOW - timedelta(minutes=3)
    with store.writing() as connection:
        assert counts.count(connection, limit=100) == 5
        connection.execute(
            insert(tables.sends),
            {"id": send, "created_at": NOW, "actor": "a", "text": "t", "is_held": False, "is_long": False},
        )
        for number, state, at in ((1, "queued", due), (2, "queued", NOW + timedelta(hours=1)), (3, "sending", due)):
            connection.execute(
                insert(tables.send_batches),
                {"send_id": send, "number": number, "state": state, "not_before": at, "attempts": 0},
            )
        for number, state in enumerate(("queued", "in_doubt", "in_doubt")):
            connection.execute(
                insert(tables.send_recipients),
                {"send_id": send, "phone": f"+861390000000{number}", "batch": 1, "written": "x", "state": state},
            )
    with store.snapshot() as connection:
        found = operating(connection, NOW, busy_for=WEEKS)
    assert (found.optouts, found.events, found.is_ledger_intact, found.quarantined) == (1, 1, True, 1)
    assert (found.batches, found.in_doubt) == ({"queued": 2, "sending": 1}, 2)
    assert found.due_since is not None
    assert abs(found.due_since - due) < timedelta(milliseconds=1)
    assert found.last_reply == quarter
    assert found.busy == [quarter_of(quarter - timedelta(days=days)) for days in (40, 1, 0)]


def test_a_head_that_names_another_event_is_found(store: Store, database_url: str) -> None:
    filled = Filled(database_url)
    filled.reply(b"src=13900000001&dst=1069&msg=0000")
    filled.store.close()
    with store.writing() as connection:
        connection.execute(update(tables.ledger_head).values(hash="0" * 64))
    with store.snapshot() as connection:
        assert not operating(connection, NOW, busy_for=WEEKS).is_ledger_intact

"""A database of any earlier revision, with rows in every table, is today's after its upgrade; so is a backup of it."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from receiver.optout.guard import blocked
from receiver.optout.proof import prove
from receiver.optout.proof_check import check
from receiver.optout.verify import verify
from receiver.store import audit_log, backup, counts, messages, optouts, people, quarantine, search, sends, tables
from receiver.store.messages import Filter
from receiver.store.migrate import HEAD
from receiver.store.store import Store
from receiver.vocabulary.register import SUBSCRIBER
from tests.intake.replies import verified_ledger
from tests.store.every_table import ODD, PERSON, SEND, STOPPED, SUBSCRIBED, contents, fill
from tests.store.test_migrations import REVISIONS

# What is not put back as it was, or not put back at all.
CHANGED = {"send_batches", "send_recipients", "sessions", "invitations", "search_state", "audit"}


@pytest.fixture
def store(empty_database_url: str) -> Iterator[Store]:
    """An empty database, never migrated."""
    opened = Store(empty_database_url)
    yield opened
    opened.close()


@pytest.mark.slow
def test_a_database_of_every_revision_is_upgraded_or_restored_with_all_its_rows(store: Store, tmp_path: Path) -> None:
    seen: set[str] = set()
    for revision in REVISIONS:
        store.upgrade(revision)
        fill(store)
        before = contents(store)
        seen |= before.keys()
        file = backed_up(store, tmp_path)

        store.upgrade("head")
        assert kept(contents(store), before) == before, revision
        is_read_by_today_s_code(store)

        with backup.opened(file) as made:
            assert made.manifest.revision == revision
            restored = backup.restore(store, made, replace=True, noted=lambda _: None)
        assert store.revision() == HEAD
        assert restored.in_doubt == (2 if "sends" in before else 0)
        after = kept(contents(store), before)
        assert [name for name in before if after[name] != before[name] and name not in CHANGED] == [], revision
        assert not after.get("sessions")
        assert not after.get("invitations")
        is_read_by_today_s_code(store)
        store.downgrade("base")
    assert seen == tables.metadata.tables.keys()


def backed_up(store: Store, folder: Path) -> Path:
    """A file with everything that is in the database."""
    written = io.BytesIO()
    backup.back_up(store, written, receiver="test")
    file = folder / "everything.backup"
    file.write_bytes(written.getvalue())
    return file


def kept(after: dict[str, list[Any]], before: dict[str, list[Any]]) -> dict[str, list[dict[str, Any]]]:
    """The tables and columns that there were before."""
    return {name: [{each: row[each] for each in rows[0]} for row in after[name]] if rows else after[name]
            for name, rows in before.items()}  # fmt: skip


def is_read_by_today_s_code(store: Store) -> None:
    """Lists, register, guard, proof, ledger, search and counts find what was there, before workers ran and after."""
    assert store.revision() == HEAD
    for _ in range(2):
        with store.snapshot() as connection:
            assert len(messages.page(connection, Filter(), limit=10)) == 4
            assert len(messages.page(connection, Filter(src=STOPPED), limit=10)) == 1
            for needle, count in ((ODD, 1), ("hello", 2), ("😀", 1), ("0000", 1)):
                found = messages.page(connection, Filter(text=needle), limit=10)
                assert len(found) == count, needle
            (listed,) = optouts.stream(connection)
            assert (listed["phone"], listed["actor"]) == (STOPPED, SUBSCRIBER)
            assert len(quarantine.page(connection, quarantine.Filter(), limit=10)) == 1
            if sends.get(connection, SEND) is not None:
                assert len(sends.recipients(connection, SEND, limit=10)) == 3
            if (person := people.get(connection, PERSON)) is not None:
                assert person["name"] == ODD
                audit_log.page(connection, audit_log.Filter(), limit=10)
            ahead = sum(counts.by_piece(connection, [0, 1 << 30]), counts.Count())
            assert (ahead.replies % (1 << 40), ahead.unsubscribes) == (3, 1)
        assert verify(store).ok
        assert len(verified_ledger(store)) == 3
        assert check(prove(store, STOPPED)).problems == ()
        verdict = blocked(store, [STOPPED, SUBSCRIBED])
        assert [each.identity for each in verdict.blocked] == [STOPPED]
        with store.writing() as connection:
            search.index(connection, limit=10)
            counts.count(connection, limit=10)

"""A backup holds every row of one moment, is refused when a byte is another, and goes back whole or not at all."""

import io
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from receiver.optout.verify import verify
from receiver.store import backup, feed, messages, sends, tables
from receiver.store.backup import Broken, Content, Manifest, NotEmpty, Unfit
from receiver.store.backup.archive import Archive
from receiver.store.messages import Filter
from receiver.store.migrate import HEAD
from receiver.store.record import record
from receiver.store.store import Store
from tests.intake.replies import reply, rows, verified_ledger
from tests.postgres import create_database, drop_database
from tests.store.every_table import SEND, contents, fill
from tests.store.test_record import WINDOW
from tests.store.test_upgrades import backed_up

NOT_HELD = {"sessions", "invitations", "search_state", "search_buckets"}
IN_DOUBT = {"send_batches", "send_recipients"}
# The bytes of a table's member, and the manifest.
Edit = Callable[[Content, bytes], bytes]


@pytest.fixture
def other(database_url: str, server_url: Callable[[], str], tmp_path: Path) -> Iterator[Store]:
    """Another database of the same kind, never migrated."""
    is_sqlite = database_url.startswith("sqlite")
    url = f"sqlite:///{tmp_path / 'other.db'}" if is_sqlite else create_database(server_url())
    with closing(Store(url, pooled=False)) as opened:
        yield opened
    if not is_sqlite:
        drop_database(server_url(), url)


@pytest.fixture
def file(store: Store, tmp_path: Path) -> Path:
    """A backup of a database with rows in every table."""
    fill(store)
    return backed_up(store, tmp_path)


def put_back(file: Path, into: Store, *, force: bool = False) -> backup.Restored:
    with backup.opened(file) as made:
        return backup.restore(into, made, replace=force, noted=lambda _: None)


def test_every_row_goes_back_and_the_ledger_is_right(store: Store, other: Store, file: Path) -> None:
    before = contents(store)
    restored = put_back(file, other)

    after = contents(other)
    assert after.keys() == before.keys() == tables.metadata.tables.keys()
    held = before.keys() - NOT_HELD
    assert restored.rows == sum(len(before[name]) for name in held)
    assert [name for name in held - IN_DOUBT if after[name] != before[name]] == []
    assert not after["sessions"]
    assert not after["invitations"]
    assert verify(other).ok
    assert verified_ledger(other) == verified_ledger(store)
    assert contents(store) == before


def test_what_was_queued_is_in_doubt_since_it_may_have_been_sent(other: Store, file: Path) -> None:
    assert put_back(file, other).in_doubt == 2
    with other.reading() as connection:
        people = sends.recipients(connection, SEND, limit=10)
    assert sorted(each["state"] for each in people) == ["accepted", "in_doubt", "in_doubt"]
    assert sorted(each.state for each in rows(other, tables.send_batches)) == ["answered", "in_doubt", "in_doubt"]


def test_a_database_restored_refuses_changes_to_its_ledger_and_takes_replies(other: Store, file: Path) -> None:
    put_back(file, other)
    for statement in ("UPDATE ledger SET actor = 'x'", "DELETE FROM ledger"):
        with pytest.raises(Exception, match="append-only"), other.writing() as connection:
            connection.execute(text(statement))
    other.record([reply("0000", "+8613900007009")], [], WINDOW)
    assert len(verified_ledger(other)) == 4
    assert verify(other).ok


def test_who_follows_the_feed_from_a_place_that_was_lost_misses_nothing(store: Store, other: Store, file: Path) -> None:
    store.record([reply("lost") for _ in range(3)], [], WINDOW)
    with store.reading() as connection:
        lost = feed.end(connection)
    put_back(file, other)
    with other.reading() as connection:
        assert not feed.lies_ahead(connection, lost)
        assert feed.after(connection, lost, [messages_text()], limit=10) == []
    other.record([reply("after")], [], WINDOW)
    with other.reading() as connection:
        (found,) = feed.after(connection, lost, [messages_text()], limit=10)
        assert found["text"] == "after"
        assert len(messages.page(connection, Filter(), limit=10)) == 5


def messages_text() -> Any:
    return tables.messages.c.text


def test_each_byte_that_is_another_or_missing_is_noticed(file: Path) -> None:
    whole = file.read_bytes()
    # Each of the end, where the checksum is; of the rest enough to meet every part.
    places = [*range(0, len(whole) - 200, 7), *range(len(whole) - 200, len(whole))]
    for place in places:
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert is_refused(file), place
        file.write_bytes(whole[:place])
        assert is_refused(file), place
    for wrong in (whole + b"\n", whole + whole, b"", b"SQLite format 3\0" * 100):
        file.write_bytes(wrong)
        assert is_refused(file)
    file.write_bytes(whole)
    with backup.opened(file) as made:
        made.check(lambda _done, _of: None)


def is_refused(file: Path) -> bool:
    try:
        with backup.opened(file):
            return False
    except Broken:
        return True


def _another_value(content: Content, lines: bytes) -> bytes:
    return lines.replace(b"weather", b"a" * 7) if content.table == "subscriptions" else lines


def _no_rows(content: Content, lines: bytes) -> bytes:
    return b"" if content.table == "audit" else lines


def _half_a_row(content: Content, lines: bytes) -> bytes:
    return lines[:-5] if content.table == "people" else lines


def _junk(content: Content, lines: bytes) -> bytes:
    return b"\x00{]}\n" * content.rows if content.table == "messages" else lines


def _other_columns(content: Content, lines: bytes) -> bytes:
    return b"\n".join(b'["x"]' for _ in range(content.rows)) + b"\n" if content.table == "tasks" else lines


# With which of these the manifest can agree: to empty a table is then a backup of another database.
FORGED = [(edit, honest) for edit in (_another_value, _half_a_row, _junk, _other_columns) for honest in (True, False)]


def test_a_file_that_was_forged_is_refused_with_nothing_changed(store: Store, other: Store, file: Path) -> None:
    before, pristine = contents(store), file.read_bytes()
    for edit, honest in [*FORGED, (_no_rows, False)]:
        file.write_bytes(pristine)
        forge(file, edit, honest=honest)
        for into, force in ((other, False), (store, True)):
            with pytest.raises(Broken) as refused:
                put_back(file, into, force=force)
            assert "+86139" not in str(refused.value)
        assert other.revision() is None
        assert contents(store) == before


@pytest.mark.parametrize(
    "change",
    [
        {"ledger_hash": "1" * 64},
        {"ledger_sequence": 2},
        {"contents": ()},
        {"feed_end": 10**18},
        {"made_at": datetime(1, 1, 1, tzinfo=UTC)},
    ],
    ids=str,
)
def test_a_manifest_that_is_not_true_is_refused_with_nothing_changed(
    other: Store, file: Path, change: dict[str, Any]
) -> None:
    forge(file, lambda _, lines: lines, **change)
    with pytest.raises(Broken):
        put_back(file, other)
    assert other.revision() is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"engine": "oracle"}, "one of its kind"),
        ({"revision": "9999"}, f"schema 9999 and this receiver {HEAD}"),
    ],
    ids=["engine", "revision"],
)
def test_what_this_receiver_can_t_take_is_refused(other: Store, file: Path, change: dict[str, Any], told: str) -> None:
    forge(file, lambda _, lines: lines, **change)
    with pytest.raises(Unfit, match=told):
        put_back(file, other)
    assert other.revision() is None


@pytest.mark.parametrize(
    "written",
    [b"", b"null", b"[1]", b"{}", b'{"format": "1"}', b'{"format": 1}', b"[" * 100_000, b'{"format": 1e999}', b"\xff"],
)
def test_a_description_that_is_none_is_refused(tmp_path: Path, written: bytes) -> None:
    sealed(tmp_path / "forged", lambda _archive: None, written)
    assert is_refused(tmp_path / "forged")


def test_a_newer_form_of_file_is_told(tmp_path: Path) -> None:
    sealed(tmp_path / "newer", lambda _archive: None, json.dumps({"format": 2}).encode())
    with pytest.raises(Unfit, match="newer receiver"), backup.opened(tmp_path / "newer"):
        pass


def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        assert is_refused(path)


def test_a_database_that_is_not_empty_stays_as_it_is_unless_it_is_to_be_replaced(store: Store, file: Path) -> None:
    store.record([reply("0000", "+8613900007008")], [], WINDOW)
    before = contents(store)
    with pytest.raises(NotEmpty, match="messages, "):
        put_back(file, store)
    assert contents(store) == before
    assert put_back(file, store, force=True).replaced
    assert len(verified_ledger(store)) == 3
    assert verify(store).ok


def test_a_reply_that_is_being_stored_is_waited_for_and_not_replaced(
    database_url: str, other: Store, file: Path
) -> None:
    other.ensure_current()
    with ThreadPoolExecutor(1) as pool:
        with other.writing() as connection:
            record(connection, [reply("0000")], [], WINDOW)
            restoring = pool.submit(put_back, file, other)
            while database_url.startswith("postgresql") and not is_waiting(other):
                pass
        with pytest.raises(NotEmpty):
            restoring.result()
    assert len(verified_ledger(other)) == 1


def is_waiting(store: Store) -> bool:
    """Whether somebody waits for a lock in this database."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with store.reading() as connection:
        return bool(connection.scalar(text(waiting)))


def test_a_database_with_a_schema_and_nothing_in_it_is_empty(store: Store, other: Store, file: Path) -> None:
    other.ensure_current()
    assert backup.occupied(other) == []
    put_back(file, other)
    assert verified_ledger(other) == verified_ledger(store)


def test_what_was_written_after_the_snapshot_is_not_in_it(store: Store, other: Store, tmp_path: Path) -> None:
    class Slow(io.BytesIO):
        """Between any two pieces of the file somebody says stop."""

        def write(self, data: Any) -> int:
            if self.tell() < 10_000:
                store.record([reply("0000", f"+86139{self.tell():08}")], [], WINDOW)
            return super().write(data)

    fill(store)
    before = contents(store)
    written = Slow()
    backup.back_up(store, written, receiver="test")
    assert len(rows(store, tables.ledger)) > len(before["ledger"]) + 10
    (tmp_path / "file").write_bytes(written.getvalue())
    put_back(tmp_path / "file", other)
    ledger_then, ledger_now = before["ledger"], verified_ledger(other)
    assert ledger_now[: len(ledger_then)] == ledger_then
    assert verify(other).ok
    assert len(ledger_now) - len(ledger_then) == len(rows(other, tables.messages)) - len(before["messages"]) <= 1


def test_a_damaged_text_is_told_without_its_words(sqlite_url: str) -> None:
    with closing(Store(sqlite_url)) as store:
        store.record([reply("hello")], [], WINDOW)
        with store.writing() as connection:
            connection.execute(text("UPDATE messages SET text = CAST(x'ff3133393030303030303031' AS TEXT)"))
        with pytest.raises(Unfit, match="a text in messages") as told:
            backup.back_up(store, io.BytesIO(), receiver="test")
    assert "139" not in str(told.value)


def test_a_database_of_a_newer_receiver_is_not_backed_up_without_its_new_tables(store: Store) -> None:
    for revision in ("9999", "later"):
        with store.writing() as connection:
            connection.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))
        with pytest.raises(Unfit, match="newer receiver"):
            backup.back_up(store, io.BytesIO(), receiver="test")


def forge(file: Path, edit: Edit, *, honest: bool = True, **change: Any) -> None:
    """Write a backup anew with other rows and another manifest, and the right checksum over all.

    The manifest names the rows as they are now, where it is ``honest``, else as they were.
    """
    with backup.opened(file) as made:
        manifest = made.manifest
        members = {content: b"".join(made.lines(content)) for content in manifest.contents}
    edited = {content: edit(content, lines) for content, lines in members.items()}
    if honest:
        manifest = replace(
            manifest,
            contents=tuple(
                replace(content, rows=lines.count(b"\n"), size=len(lines), sha256=sha256(lines).hexdigest())
                for content, lines in edited.items()
            ),
        )
    manifest = replace(manifest, **change)

    def write(archive: Archive) -> None:
        for content, lines in edited.items():
            archive.add(content.table, content.columns, [lines], lambda _: None)

    sealed(file, write, manifest.written())


def sealed(file: Path, write: Callable[[Archive], None], manifest: bytes) -> None:
    """A file with these tables and this manifest, whose checksum is right."""

    class Said(Manifest):
        def written(self) -> bytes:
            return manifest

    stream = io.BytesIO()
    archive = Archive(stream)
    write(archive)
    archive.end(Said("test", datetime.now(UTC), "sqlite", HEAD, 0, "0" * 64, 0, ()))
    file.write_bytes(stream.getvalue())

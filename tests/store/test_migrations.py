"""The schema's history goes up, down and up again on both databases, and ends where the code's tables are."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Column, Connection, Index, MetaData, Table, UniqueConstraint, inspect, text

import migrations
from receiver.store import rate_windows, search, services, tables
from receiver.store.errors import StoreError
from receiver.store.migrate import HEAD
from receiver.store.store import Store
from receiver.vocabulary import new_id
from tests.intake.replies import quarantined, reply, rows, verified_ledger
from tests.store.test_record import WINDOW, subscribe

FOLDER = Path(migrations.__file__).parent


@pytest.fixture
def store(empty_database_url: str) -> Iterator[Store]:
    """An empty database, never migrated."""
    opened = Store(empty_database_url)
    yield opened
    opened.close()


def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


REVISIONS = [script.revision for script in scripts().walk_revisions()][::-1]


def fill(store: Store) -> None:
    """Rows in every table that the receive path has."""
    subscribe(store, "+8613900007001", "weather")
    store.record([reply("hello"), reply("hello"), reply("0000", "+8613900007001")], [quarantined()], WINDOW)


def test_history_is_one_line_of_numbered_steps_that_ends_at_head() -> None:
    assert scripts().get_heads() == [HEAD]
    assert scripts().get_bases() == [REVISIONS[0]]
    assert [f"{number:04}" for number in range(1, len(REVISIONS) + 1)] == REVISIONS
    assert sorted(path.name[:4] for path in (FOLDER / "versions").glob("0*.py")) == REVISIONS


def test_each_step_goes_up_down_and_up_again_with_data_in_place(store: Store) -> None:
    assert store.revision() is None
    for before, revision in zip(["base", *REVISIONS], REVISIONS, strict=False):
        store.upgrade(revision)
        store.downgrade(before)
        store.upgrade(revision)
        assert store.revision() == revision
    fill(store)
    for revision in [*REVISIONS[-2::-1], "base"]:
        store.downgrade(revision)
    assert store.revision() is None
    store.upgrade("head")
    fill(store)
    assert store.revision() == HEAD
    assert len(verified_ledger(store)) == 2


def test_the_register_goes_down_and_up_again_with_its_data_and_its_refusal(store: Store) -> None:
    store.upgrade("0002")
    fill(store)
    with store.writing() as connection:
        services.set_numbers(connection, "weather", ["10690001"], ["10690"])
    # Without what later steps have added.
    known = [column for column in tables.messages.columns if column.name != "position"]
    messages = Table(
        "messages", MetaData(), *[Column(column.name, column.type, primary_key=column.primary_key) for column in known]
    )
    kept = [messages, tables.optouts, tables.subscriptions, tables.services, tables.ledger, tables.ledger_head]
    before = [rows(store, table) for table in kept]
    refuses_change(store)

    store.downgrade("0001")
    assert [rows(store, table) for table in kept] == before
    with store.reading() as connection:
        assert not _names(connection) & {"service_numbers", "staged_subscriptions"}
    with store.writing() as connection:
        connection.execute(text("UPDATE ledger SET actor = actor"))  # refused no longer

    store.upgrade("0002")
    assert [rows(store, table) for table in kept] == before
    assert rows(store, tables.service_numbers) == []
    refuses_change(store)
    store.record([reply("0000", "+8613900007005")], [], WINDOW)
    assert len(verified_ledger(store)) == 3


REFUSED = [
    "UPDATE ledger SET actor = 'somebody else'",
    "UPDATE ledger SET actor = actor WHERE sequence = 1",
    "UPDATE ledger SET sequence = sequence + 100",
    "DELETE FROM ledger",
    "DELETE FROM ledger WHERE sequence = 2",
]


def refuses_change(store: Store) -> None:
    """The ledger holds something, and the database lets nobody change or take away any of it."""
    before = rows(store, tables.ledger)
    assert before
    with store.reading() as connection:
        is_postgresql = connection.dialect.name == "postgresql"
    replacing = "INSERT OR REPLACE INTO ledger SELECT * FROM ledger WHERE sequence = 2"
    more = ["TRUNCATE ledger", "TRUNCATE ledger CASCADE"] if is_postgresql else [replacing]
    for statement in [*REFUSED, *more]:
        with pytest.raises(StoreError, match="the ledger is append-only"), store.writing() as connection:
            connection.execute(text(statement))
        assert rows(store, tables.ledger) == before


def test_base_leaves_nothing_behind(store: Store) -> None:
    store.upgrade("head")
    fill(store)
    store.downgrade("base")
    with store.reading() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
        left = "SELECT proname FROM pg_proc WHERE proname LIKE 'ledger%'"
        if connection.dialect.name == "sqlite":
            left = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        assert connection.scalars(text(left)).all() == []


def test_migrating_what_is_current_changes_nothing_and_keeps_every_row(store: Store) -> None:
    assert store.ensure_current() is True
    fill(store)
    before = [rows(store, table) for table in tables.metadata.sorted_tables]
    assert store.ensure_current() is False
    store.upgrade("head")
    assert [rows(store, table) for table in tables.metadata.sorted_tables] == before


def test_what_migrations_make_is_what_the_code_says(store: Store) -> None:
    store.ensure_current()
    with store.reading() as connection:
        assert compared(connection, compare_type=True, compare_server_default=True) == []
        for table in tables.metadata.tables.values():
            found = inspect(connection).get_check_constraints(table.name)
            wanted = {check.name for check in table.constraints if isinstance(check, CheckConstraint)}
            assert {check["name"] for check in found} == wanted
            if table.name != "messages" or connection.dialect.name == "postgresql":
                assert inspect(connection).get_pk_constraint(table.name)["name"] == table.primary_key.name


def everything(connection: Connection) -> MetaData:
    """What the code says that the database has."""
    whole = MetaData(naming_convention=tables.metadata.naming_convention)
    is_postgresql = connection.dialect.name == "postgresql"
    for metadata in [tables.metadata, *([rate_windows.apart, search.apart] if is_postgresql else [])]:
        for table in metadata.sorted_tables:
            table.to_metadata(whole)
    messages = whole.tables["messages"]
    if is_postgresql:
        Index("ix_messages_position", messages.c.position, messages.c.id, postgresql_where=text("position > 0"))
    else:
        # There it is the row's number and the primary key (0008_feed.py).
        messages.c.position.server_default = None
        messages.append_constraint(UniqueConstraint("id", name="uq_messages_id"))
    return whole


def _is_compared(name: str | None, kind: str, _parents: object) -> bool:
    """All but what SQLite makes for its index of words."""
    return not (kind == "table" and name is not None and name.startswith("message_search_"))


def compared(connection: Connection, **options: bool) -> list[object]:
    """What the database has otherwise than the code says."""
    is_sqlite = connection.dialect.name == "sqlite"
    opts = {**options, "include_name": _is_compared}
    found = compare_metadata(MigrationContext.configure(connection, opts=opts), everything(connection))
    return [each for each in found if not (is_sqlite and "message_search" in str(each))]


def test_the_comparison_sees_what_is_missing(store: Store) -> None:
    store.ensure_current()
    with store.writing() as connection:
        connection.execute(text("DROP INDEX ix_messages_src_id"))
        connection.execute(text("ALTER TABLE messages ADD COLUMN more text"))
        differences = compared(connection)
    assert len(differences) == 2


def test_many_processes_that_start_at_once_migrate_once(empty_database_url: str) -> None:
    stores = [Store(empty_database_url) for _ in range(6)]
    with ThreadPoolExecutor(len(stores)) as pool:
        migrated = list(pool.map(Store.ensure_current, stores))
    assert any(migrated)
    assert {store.revision() for store in stores} == {HEAD}
    for store in stores:
        store.close()


def test_a_step_that_fails_leaves_nothing_half_done(store: Store) -> None:
    with store.writing() as connection:
        connection.execute(text("CREATE TABLE ledger (taken text)"))
    with pytest.raises(Exception, match="ledger"):
        store.upgrade("head")
    with store.reading() as connection:
        assert _names(connection) <= {"ledger", "alembic_version"}
    assert store.revision() is None


def test_a_new_database_has_an_empty_chain(store: Store) -> None:
    store.ensure_current()
    assert verified_ledger(store) == []
    assert new_id().version == 7


def _names(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())

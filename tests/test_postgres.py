"""The PostgreSQL of the tests is real: it keeps what was committed, even over a crash."""

import psycopg
import pytest
from sqlalchemy import create_engine, text

from receiver.store import tables
from receiver.store.migrate import HEAD
from receiver.store.store import Store
from tests.filled import WINDOW
from tests.intake.replies import reply, rows, verified_ledger
from tests.postgres import Postgres, conninfo, create_database


def test_it_answers_on_tcp_and_only_fsync_is_not_as_in_production(postgres: Postgres) -> None:
    with psycopg.connect(conninfo(postgres.url)) as connection:
        settings = connection.execute(
            "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)",
            [["fsync", "synchronous_commit", "max_connections", "server_encoding"]],
        ).fetchall()
    assert dict(settings) == {
        "fsync": "off",
        "synchronous_commit": "on",
        "max_connections": "100",
        "server_encoding": "UTF8",
    }


def test_committed_rows_survive_an_immediate_stop(postgres: Postgres) -> None:
    url = conninfo(postgres.create_database())
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE reply (text text)")
        connection.execute("INSERT INTO reply VALUES ('退订')")

    postgres.stop("immediate")
    assert not postgres.running
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)

    postgres.start()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT text FROM reply").fetchall() == [("退订",)]


def test_restart_keeps_the_url(postgres: Postgres) -> None:
    before = postgres.url
    postgres.restart()
    assert postgres.url == before
    psycopg.connect(conninfo(postgres.url)).close()


def test_databases_made_on_one_server_are_apart(postgres: Postgres) -> None:
    assert create_database(postgres.url) != postgres.create_database()


def test_each_engine_gives_an_empty_database(empty_database_url: str) -> None:
    engine = create_engine(empty_database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE reply (text text)"))
        assert connection.execute(text("SELECT count(*) FROM reply")).scalar_one() == 0
    engine.dispose()


@pytest.mark.parametrize("turn", ["first", "second"])
def test_each_test_begins_with_the_schema_and_nothing_in_it(store: Store, turn: str) -> None:
    assert store.revision() == HEAD
    assert (rows(store, tables.messages), verified_ledger(store)) == ([], [])
    store.record([reply("0000")], [], WINDOW)
    assert len(rows(store, tables.messages)) == len(verified_ledger(store)) == 1

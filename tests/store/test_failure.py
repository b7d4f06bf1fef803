"""What a failure of the database means: it is away, or it refuses what it was given."""

import psycopg
import pytest
from sqlalchemy import exc

from receiver.store.failure import is_unavailable
from tests.postgres import conninfo


def test_a_pooled_connection_that_is_amid_something_counts_as_a_database_that_is_away(postgresql_url: str) -> None:
    with psycopg.connect(conninfo(postgresql_url)) as connection:
        # As a connection is left that was lost while its answer was waited for: what the pool asks of it then fails so.
        connection.pgconn.send_query(b"SELECT pg_sleep(0.2)")
        with pytest.raises(psycopg.ProgrammingError) as failure:
            connection.autocommit = True
        connection.pgconn.finish()
    assert failure.value.sqlstate is None
    assert is_unavailable(exc.ProgrammingError("", None, failure.value))


def test_a_statement_that_is_wrong_is_no_database_that_is_away(postgresql_url: str) -> None:
    with psycopg.connect(conninfo(postgresql_url)) as connection:
        with pytest.raises(psycopg.ProgrammingError) as failure:
            connection.execute("SELECT %s", [1, 2])
        assert not is_unavailable(exc.ProgrammingError("", None, failure.value))

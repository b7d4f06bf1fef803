"""Pooled connections to PostgreSQL: one that was lost is replaced before anybody's transaction begins."""

from typing import Any

from sqlalchemy import select

from receiver.store.engine import open_engine


def test_a_pooled_connection_that_breaks_while_it_is_asked_is_replaced(postgresql_url: str) -> None:
    engine = open_engine(postgresql_url)
    with engine.connect() as connection:
        lost: Any = connection.connection.dbapi_connection
    # As psycopg leaves a connection that broke while an answer was waited for: it takes it for busy.
    lost.pgconn.send_query(b"SELECT pg_sleep(60)")
    with engine.connect() as connection:
        assert connection.scalar(select(1)) == 1
        assert connection.connection.dbapi_connection is not lost
    engine.dispose()

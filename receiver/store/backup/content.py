"""Which tables a backup holds, and their rows as lines: read from one database, written into another of its kind.

Rows go as the database has them, not as today's code reads them: a backup may be of any revision. A line is on SQLite
the values in JSON, on PostgreSQL what COPY says.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, exc, inspect

from ..tables import metadata
from .errors import Broken, Unfit

# Made anew from the messages, by the worker: searches find everything meanwhile.
DERIVED = frozenset(["search_buckets", "search_state"])
# Nobody stays logged in over a restore, and no link that was used works again.
OPEN_DOORS = frozenset(["sessions", "invitations"])
_CHUNK = 1 << 16
_AT_ONCE = 1_000
# What the drivers say of values: never told in their words, which may quote them.
_UNFIT = exc.IntegrityError, exc.DataError, exc.InterfaceError, exc.ProgrammingError, OverflowError


def present(connection: Connection) -> list[str]:
    """The tables of ours that are there; each comes behind those that it refers to."""
    names = set(inspect(connection).get_table_names())
    return [table.name for table in metadata.sorted_tables if table.name in names]


def tables(connection: Connection) -> dict[str, list[str]]:
    """The columns of each table that a backup holds, in the order of ``present``."""
    found = inspect(connection)
    held = [name for name in present(connection) if name not in DERIVED | OPEN_DOORS]
    return {name: [column["name"] for column in found.get_columns(name)] for name in held}


def lines(connection: Connection, table: str, columns: Sequence[str]) -> Generator[bytes, None, None]:
    """A table's rows in chunks of whole lines."""
    read = _lines_of_sqlite if connection.dialect.name == "sqlite" else _lines_of_postgresql
    gathered: list[bytes] = []
    size = 0
    with closing(read(connection, table, columns)) as found:
        for line in found:
            gathered.append(line)
            size += len(line)
            if size >= _CHUNK:
                yield b"".join(gathered)
                gathered, size = [], 0
    yield b"".join(gathered)


def put(connection: Connection, table: str, columns: Sequence[str], chunks: Iterable[bytes]) -> None:
    """Write lines into a table. Raises Broken where they are no rows of it."""
    write = _put_into_sqlite if connection.dialect.name == "sqlite" else _put_into_postgresql
    try:
        write(connection, table, columns, chunks)
    except _UNFIT:
        raise Broken(f"its rows of {table} do not fit that table") from None


def _lines_of_sqlite(connection: Connection, table: str, columns: Sequence[str]) -> Generator[bytes, None, None]:
    statement = f"SELECT {', '.join(columns)} FROM {table}"
    try:
        with connection.exec_driver_sql(statement, execution_options={"yield_per": _AT_ONCE}) as result:
            for row in result:
                yield json.dumps(list(row), default=_bytes_as_json, separators=(",", ":")).encode() + b"\n"
    except exc.OperationalError as error:
        if "decode to UTF-8" not in str(error.orig):
            raise
        # The driver's words quote it.
        raise Unfit(f"a text in {table} is damaged: it is no UTF-8") from None


def _put_into_sqlite(connection: Connection, table: str, columns: Sequence[str], chunks: Iterable[bytes]) -> None:
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    for chunk in chunks:
        if rows := [_row(line, len(columns)) for line in chunk.splitlines()]:
            connection.exec_driver_sql(statement, rows)


def _bytes_as_json(value: Any) -> dict[str, str]:
    return {"base64": b64encode(value).decode()}


def _row(line: bytes, width: int) -> tuple[Any, ...]:
    try:
        row = tuple(b64decode(each["base64"]) if isinstance(each, dict) else each for each in json.loads(line))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Broken("a row can't be read") from None
    if len(row) != width:
        raise Broken("a row has another number of values than there are columns")
    return row


def _lines_of_postgresql(connection: Connection, table: str, columns: Sequence[str]) -> Generator[bytes, None, None]:
    with _told(connection), _cursor(connection) as cursor, cursor.copy(_copy("TO STDOUT", table, columns)) as copy:
        for line in copy:
            yield bytes(line)


def _put_into_postgresql(connection: Connection, table: str, columns: Sequence[str], chunks: Iterable[bytes]) -> None:
    with _told(connection), _cursor(connection) as cursor, cursor.copy(_copy("FROM STDIN", table, columns)) as copy:
        for chunk in chunks:
            copy.write(chunk)


def _cursor(connection: Connection) -> "psycopg.Cursor[Any]":
    driver: Any = connection.connection.driver_connection
    cursor: psycopg.Cursor[Any] = driver.cursor()
    # Whatever the server or the role is set to.
    cursor.execute("SET LOCAL datestyle = 'ISO'")
    return cursor


def _copy(way: str, table: str, columns: Sequence[str]) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("COPY {} ({}) {} WITH (FORMAT text, ENCODING 'UTF8')").format(
        sql.Identifier(table), names, sql.SQL("TO STDOUT" if way == "TO STDOUT" else "FROM STDIN")
    )


@contextmanager
def _told(connection: Connection) -> Iterator[None]:
    """Have the driver's errors come as SQLAlchemy's, which the store's door translates."""
    try:
        yield
    except psycopg.Error as error:
        raise exc.DBAPIError.instance(
            "COPY", None, error, psycopg.Error, hide_parameters=True, dialect=connection.dialect
        ) from error

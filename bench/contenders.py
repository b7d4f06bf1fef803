"""Who is measured: each contender's name, database and command."""

from dataclasses import dataclass
from enum import StrEnum


class Database(StrEnum):
    NONE = "none"
    SQLITE = "SQLite"
    POSTGRESQL = "PostgreSQL"
    SPOOL = "SQLite, locked"
    """By somebody who does not let go: replies go into the spool."""


@dataclass(frozen=True, slots=True)
class Contender:
    name: str
    database: Database
    module: str
    """What ``python -m`` runs, with its arguments."""

    def __str__(self) -> str:
        return self.name if self.database is Database.NONE else f"{self.name}, {self.database}"


def _ours(database: Database) -> Contender:
    return Contender("receiver", database, "receiver serve --role callback")


def _orm(database: Database) -> Contender:
    return Contender("Flask, one ORM commit each", database, "bench.baselines.orm")


EMPTY = Contender("Flask, empty view", Database.NONE, "bench.baselines.empty")
OURS = {database: _ours(database) for database in (Database.SQLITE, Database.POSTGRESQL)}
SPOOL = Contender("receiver, spool", Database.SPOOL, "receiver serve --role callback")
ORM = {database: _orm(database) for database in (Database.SQLITE, Database.POSTGRESQL)}
ASYNCPG = Contender("FastAPI + asyncpg, one commit each", Database.POSTGRESQL, "bench.baselines.asyncpg_app")

# Those that are compared with the empty view stand next to it, so that a machine that changes its pace changes it for
# both.
ALL = (EMPTY, *OURS.values(), SPOOL, *ORM.values(), ASYNCPG)

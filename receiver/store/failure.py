"""What a failed transaction means: the database is not available, try again, or it refuses what we gave it."""

from sqlalchemy import exc

# SQLSTATE classes (PostgreSQL, appendix A) that speak of the server, not of our rows: connection, authorization,
# read-only transaction, catalog, rights and missing tables (not migrated), resources, object state (locks), operator
# intervention, system, internal.
_SERVER_CLASSES = frozenset(["08", "25", "28", "3D", "42", "53", "55", "57", "58", "XX"])
_RETRY_CLASS = "40"
# A migration went by: the statement that the connection had prepared is of another time (feature not supported:
# "cached plan must not change result type"; no such prepared statement).
_STALE_PLANS = frozenset(["0A000", "26000"])


def is_unavailable(error: Exception) -> bool:
    """Whether no transaction could have succeeded now, whatever its rows."""
    if not isinstance(error, exc.DBAPIError):
        return isinstance(error, exc.TimeoutError | exc.DisconnectionError)
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state[:2] in _SERVER_CLASSES
    # SQLite says locked, full, read-only, unreadable with OperationalError, corrupt with a bare DatabaseError;
    # psycopg gives no state where there is no connection.
    return isinstance(error, exc.OperationalError) or type(error) is exc.DatabaseError


def is_worth_retrying(error: Exception) -> bool:
    """Whether the same may succeed at once: deadlock, serialization failure, stale plan. Nothing was written."""
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    return state is not None and (str(state)[:2] == _RETRY_CLASS or state in _STALE_PLANS)

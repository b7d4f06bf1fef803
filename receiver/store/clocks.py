"""What the database knows of the time: its own clock, and when the newest reply came in."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from .tables import messages


def of_server(connection: Connection) -> datetime | None:
    """The server's clock; None on SQLite, which has this machine's."""
    if connection.dialect.name == "sqlite":
        return None
    told: datetime = connection.scalars(select(func.clock_timestamp())).one()
    return told


def of_newest_reply(connection: Connection) -> datetime | None:
    """When the message with the greatest id came in; None where there is none."""
    return connection.scalars(select(messages.c.received_at).order_by(messages.c.id.desc()).limit(1)).one_or_none()

"""What came in for one service number, read as a stream: to hold the database against what was acknowledged."""

from collections.abc import Iterator

from sqlalchemy import Connection, Row, select

from .tables import messages

# Rows in memory at a time.
_ROWS = 2_000


def replies_to(connection: Connection, dst: str) -> Iterator[Row[str, str, str]]:
    """Phone, text and kind (``src``, ``text``, ``kind``) of each reply to ``dst``, oldest first."""
    statement = (
        select(messages.c.src, messages.c.text, messages.c.kind).where(messages.c.dst == dst).order_by(messages.c.id)
    )
    yield from connection.execution_options(yield_per=_ROWS).execute(statement)

"""What a receiver has stored."""

from sqlalchemy import select

from receiver.store.store import Store
from receiver.store.tables import messages
from tests.serving import Server


def stored(server: Server) -> list[tuple[bytes, str, str | None]]:
    """The bytes, the text and the source of every reply."""
    store = Store(server.database_url, pooled=False)
    with store.reading() as connection:
        rows = connection.execute(
            select(messages.c.raw, messages.c.text, messages.c.peer).order_by(messages.c.id)
        ).all()
    store.close()
    return [(row.raw, row.text, row.peer) for row in rows]

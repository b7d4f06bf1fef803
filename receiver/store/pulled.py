"""Replies that were pulled from the gateway: each is one message however often it is read, and like its push."""

from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import Connection, ScalarSelect, select, update

from receiver.vocabulary import Kind, Reply, earliest_id
from receiver.vocabulary.ledger import timestamp

from .tables import messages, pulled_replies
from .upsert import insert_or

# The gateway keeps what is unread for days; a time further back than this is none that a phone has told.
_LONGEST_UNREAD = timedelta(days=30)


def not_pulled_before(connection: Connection, replies: Sequence[Reply]) -> list[Reply]:
    """``replies`` without those that are messages already: the same number of the same account at the gateway, with
    the same words from the same phone, sent at the same time.

    The number alone would not do: after a change of account or of gateway it may begin anew. Nor does all of that for
    an unsubscribe of which it is not known when it was sent: the same again may be a second one.
    """
    statement = insert_or(connection, pulled_replies).on_conflict_do_nothing().returning(pulled_replies.c.message_id)
    new = []
    for reply in replies:
        is_known_by_all = reply.sent_at is not None or reply.delivery.kind is not Kind.UNSUBSCRIBE
        if reply.gateway_id is not None and is_known_by_all:
            row = {
                "gateway_id": reply.gateway_id,
                "fingerprint": _fingerprint(reply),
                "message_id": reply.id,
            }
            if connection.execute(statement, row).first() is None:
                continue
        new.append(reply)
    return new


def complete(connection: Connection, replies: Sequence[Reply], duplicate_window: timedelta) -> None:
    """Give stored messages what only pulled ``replies`` have, and flag those that were pushed as well.

    Only its text is compared: what is pulled comes in other escapes than what is pushed.
    """
    for reply in replies:
        connection.execute(
            update(messages)
            .where(messages.c.id == reply.id)
            .values(gateway_id=reply.gateway_id, sent_at=reply.sent_at, duplicate_of=_like(reply, duplicate_window))
        )


def _like(reply: Reply, window: timedelta) -> ScalarSelect[UUID]:
    said, at = reply.delivery, reply.received_at
    # It may have been pushed when the phone sent it, long before we asked for it.
    earliest = min(at, reply.sent_at) if reply.sent_at and at - reply.sent_at < _LONGEST_UNREAD else at
    earlier = messages.alias("earlier")
    return (
        select(earlier.c.id)
        .where(
            earlier.c.src == said.src,
            earlier.c.id >= earliest_id(earliest - window),
            earlier.c.id < earliest_id(at + window),
            earlier.c.id != reply.id,
            earlier.c.dst == said.dst,
            earlier.c.text == said.text,
        )
        .order_by(earlier.c.src, earlier.c.id)
        .limit(1)
        .scalar_subquery()
    )


def _fingerprint(reply: Reply) -> str:
    said, sent_at = reply.delivery, "" if reply.sent_at is None else timestamp(reply.sent_at)
    known = [said.src_wire.encode(), said.dst.encode(), (reply.account or "").encode(), sent_at.encode(), said.raw]
    return sha256(b"\0".join(known)).hexdigest()

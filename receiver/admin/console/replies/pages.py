"""The pages of replies, and which reply or subscriber an address of theirs means.

No address holds a phone: a subscriber's has the id of one of their messages.
"""

from uuid import UUID

from flask import abort

from receiver.export import Row
from receiver.store import messages

from ...parts import parts
from ..routes import Pages

pages = Pages("replies")


def found(message_id: UUID) -> Row:
    """The message that an address means, with all that is known of it; it ends with 404 where there is none."""
    with parts().store.reading() as transaction:
        message = messages.get(transaction, message_id)
    if message is None:
        abort(404)
    return message

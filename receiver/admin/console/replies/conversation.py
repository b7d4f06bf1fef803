"""The conversation with one subscriber: what came in and what went out, in one thread, and whether they said stop."""

from uuid import UUID

from flask import render_template, request

from receiver.access import Action
from receiver.access.roles import Permission
from receiver.store import conversation as thread

from ...parts import parts
from ..optouts import words as register
from ..paging import Page, place
from ..revealing import is_revealed
from ..sends import wording as outgoing
from .pages import found, pages

_ROWS = 50


@pages.get("/replies/<uuid:message_id>/conversation", needs=Permission.SEE)
def conversation(message_id: UUID) -> str:
    """Of whoever sent this message."""
    phone: str = found(message_id)["src"]
    older, newer = place(request.args, UUID)
    with parts().store.snapshot() as transaction:
        entries = thread.page(transaction, phone, older_than=older, newer_than=newer, limit=_ROWS + 1)
    return render_template(
        "console/replies/conversation.html",
        message_id=message_id,
        phone=phone,
        page=Page.of(entries, _ROWS, older=older, newer=newer, key=lambda entry: entry.id),
        is_whole=is_revealed(Action.MESSAGES_READ, str(message_id)),
        known=parts().register.history(phone),
        register=register,
        outgoing=outgoing,
    )

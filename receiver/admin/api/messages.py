"""Messages over the API: lists by any filters, and one of them."""

from typing import Any
from uuid import UUID

from flask import Response, jsonify, request
from pydantic import BaseModel, Field

from receiver.access import Action, Scope
from receiver.store import messages
from receiver.vocabulary import Kind, Origin

from ..parts import parts
from .gate import act
from .paging import Page, PageQuery, paged, place, uuid_key
from .problems import NOT_FOUND, Rejected
from .routes import Routes
from .values import Moment, Phone, Text, Until, sender

routes = Routes("Messages", "The replies that came in.")


class Message(BaseModel):
    """A reply."""

    id: UUID = Field(description="UUIDv7: ordered by the time of receipt")
    received_at: Moment
    origin: Origin = Field(description="How it reached us: pushed, pulled, or imported")
    kind: Kind
    src: str = Field(
        description="Who sent it: E.164, or as it came where that is no phone", examples=["+8613900000001"]
    )
    src_wire: str = Field(description="The same as it was written on the wire", examples=["13900000001"])
    dst: str = Field(description="The service number that was replied to", examples=["10690001"])
    text: str = Field(examples=["你好"])
    charset: str = Field(examples=["gb18030"])
    charset_certain: bool = Field(description="False where the other charset is plausible too")
    duplicate_of: UUID | None = Field(description="An earlier message that this seems to repeat")
    gateway_id: str | None = Field(description="The gateway's number, where the reply was pulled")
    sent_at: Moment | None = Field(description="When the phone sent it, where the gateway says")
    service: str | None = Field(description="The code of the service that the number belongs to", examples=["news"])


class MessageFilters(BaseModel):
    """Which messages: those that meet every condition given."""

    src: Phone | None = Field(None, description="From this phone, in any written form, or sender as it came")
    dst: Text | None = Field(None, max_length=100, description="To this service number, whole")
    text: Text | None = Field(None, min_length=1, max_length=200, description="With this in the text")
    kind: Kind | None = None
    origin: Origin | None = None
    service: Text | None = Field(None, max_length=64, description="Filed under this service")
    duplicates: bool | None = Field(None, description="true: only suspected duplicates; false: none of them")
    since: Moment | None = Field(None, description="Received at or after this")
    until: Until = Field(None, description="Received before this")

    def chosen(self) -> messages.Filter:
        return messages.Filter(
            src=None if self.src is None else sender(self.src),
            dst=self.dst,
            text=self.text,
            kind=self.kind,
            origin=self.origin,
            since=self.since,
            until=self.until,
            duplicates=self.duplicates,
            service=self.service,
        )


class MessagesQuery(PageQuery, MessageFilters):
    """Filters and the place in the list."""


class MessagePath(BaseModel):
    id: UUID


@routes.get("/messages", scope=Scope.MESSAGES_READ, answers={200: Page[Message]})
def list_messages(query: MessagesQuery) -> Response:
    """List replies, newest first"""
    at = place(query.cursor, uuid_key)
    with parts().store.reading() as transaction:
        found = messages.page(
            transaction, query.chosen(), older_than=at.older_than, newer_than=at.newer_than, limit=query.limit + 1
        )
    act(Action.MESSAGES_READ).reveal(parts().store)
    return jsonify(paged(found, at, query.limit, key=lambda row: row["id"], shown=shown))


@routes.get("/messages/<uuid:id>", scope=Scope.MESSAGES_READ, answers={200: Message, 304: None}, problems=(404,))
def get_message(path: MessagePath) -> Response:
    """Look at one reply

    Its `ETag` changes when the message does: with `If-None-Match` the answer is 304 while it has not.
    """
    with parts().store.reading() as transaction:
        found = messages.get(transaction, path.id)
    if found is None:
        raise Rejected(NOT_FOUND, "no message has this id")
    act(Action.MESSAGES_READ).reveal(parts().store)
    response = jsonify(shown({name: found[name] for name in messages.FIELDS}))
    response.set_etag(str(found["position"]))
    # Kept by whoever asked, and asked about each time: what it shows is private, and may be erased.
    response.headers["Cache-Control"] = "private, no-cache"
    response.make_conditional(request)
    return response


def shown(row: Any) -> dict[str, Any]:
    """A message as the API shows it."""
    return Message(**row).model_dump(mode="json")


__all__ = ["Message", "MessageFilters", "MessagePath", "routes", "shown"]

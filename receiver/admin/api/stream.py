"""The live tail of messages over the API: as they come in, to programs that go on where they were."""

import json
from typing import Any

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from receiver.access import Action, KeyRefused, Scope
from receiver.store import feed, messages
from receiver.store.errors import StoreError
from receiver.store.feed import Place
from receiver.store.store import Store

from .. import tail
from ..parts import Parts, parts
from .gate import act, key, token
from .messages import MessageFilters, shown
from .problems import RATE_LIMITED, Rejected, invalid
from .routes import Routes

routes = Routes("Live tail", "Messages as they come in.")


class StreamQuery(MessageFilters):
    model_config = ConfigDict(extra="forbid")

    after: str | None = Field(None, max_length=60, description="An event's id, where the header can't be sent")


class StreamHeaders(BaseModel):
    last_event_id: str | None = Field(
        None, alias="Last-Event-ID", max_length=60, description="The id of the last event that was received"
    )


@routes.get(
    "/messages/stream",
    scope=Scope.MESSAGES_READ,
    answers={
        200: {
            "description": "Events, for as long as the connection lasts",
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "example": "id: 42-0197b7a27b7a7b7a8b7a7b7a7b7a7b7a\nevent: message\n"
                    'data: {"id": "0197b7a2-7b7a-7b7a-8b7a-7b7a7b7a7b7a", "src": "+8613900000001", "text": "你好"}\n\n',
                }
            },
        }
    },
)
def stream_messages(query: StreamQuery, header: StreamHeaders) -> Response:
    """Watch messages come in

    Server-sent events: `event: message`, `data:` the message as JSON, `id:` its place. Send the last id as
    `Last-Event-ID` (browsers do so by themselves), or as `after`, and what came since is sent first: nothing is missed,
    in the order in which it was stored, which is not always that of the ids. Without one it begins now; with `since`
    at the first message of that time. A message that is read anew in another charset comes again.

    Comments keep the connection alive. It is ended after an hour, with a restart, and with its key: come again. With
    `until` it ends for good a minute after that.
    """
    held, secret = parts(), token()
    place = _begin(held.store, header.last_event_id, query)
    act(Action.MESSAGES_STREAMED).record(held.store)
    try:
        return tail.follow(
            held.store,
            key().id,
            place,
            query.chosen(),
            written=_event,
            may_go_on=lambda: _is_valid(held, secret),
        )
    except tail.TooMany:
        raise Rejected(
            RATE_LIMITED,
            f"there are {tail.MOST_OF_ONE} streams of this key or {tail.MOST} in all already: end one",
            headers={"Retry-After": "60"},
        ) from None


def _begin(store: Store, header: str | None, query: StreamQuery) -> Place:
    field, written = ("Last-Event-ID", header) if header else ("after", query.after)
    with store.reading() as transaction:
        if written is None:
            # From the beginning: whatever is older than asked for is passed over.
            return feed.end(transaction) if query.since is None else Place()
        try:
            place = Place.of(written)
        except ValueError:
            raise invalid(field, "this is no id of an event: send one as it came") from None
        if feed.lies_ahead(transaction, place):
            raise invalid(
                field,
                "no event had this id here yet: it is of another database, or this one was restored from a backup. "
                "Begin anew, with `since` and without an id",
            )
    return place


def _event(row: Any) -> str:
    data = json.dumps(shown({name: row[name] for name in messages.FIELDS}), ensure_ascii=False)
    return f"event: message\ndata: {data}\n"


def _is_valid(held: Parts, secret: str) -> bool:
    try:
        held.keys.authenticate(secret)
    except KeyRefused:
        return False
    except StoreError:
        return True  # the next look at the feed tells
    return True

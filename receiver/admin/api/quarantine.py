"""Quarantine over the API: deliveries that were not accepted, why, and who was refused."""

from base64 import b64encode
from typing import Any
from uuid import UUID

from flask import Response, jsonify
from pydantic import BaseModel, Field

from receiver.access import Action, Scope
from receiver.store import quarantine, refusals
from receiver.vocabulary import Reason

from ..parts import parts
from .gate import act
from .paging import Page, PageQuery, paged, place, uuid_key
from .problems import NOT_FOUND, Rejected
from .routes import Routes
from .values import Moment, Text, Until

routes = Routes("Quarantine", "What was not accepted as a reply.")


class Quarantined(BaseModel):
    """A delivery that was not accepted."""

    id: UUID
    received_at: Moment
    reason: Reason
    detail: str = Field(examples=["there is no parameter dst"])
    peer: str | None = Field(description="Where it came from; null where it was pulled", examples=["203.0.113.7"])
    size: int = Field(description="Bytes of it that are kept", examples=[31])
    unsubscribes: str | None = Field(description="Whose unsubscribe it is in spite of all", examples=["+8613900000001"])
    replayed_at: Moment | None
    message_id: UUID | None = Field(description="The message that it became")


class QuarantinedWhole(Quarantined):
    """A delivery with its bytes."""

    raw: str = Field(description="As they came, in base 64", examples=["c3JjPTEzOTAw"])


class Refused(BaseModel):
    """A source that was refused."""

    peer: str = Field(examples=["203.0.113.7"])
    reason: Reason
    count: int = Field(examples=[3])
    first_at: Moment
    last_at: Moment
    kept: int = Field(description="Of its deliveries, how many wait in quarantine", examples=[3])


class RefusedSources(BaseModel):
    """Refused sources, the most recent first. Allow one in `RECEIVER_ALLOWED_SOURCES`."""

    items: list[Refused]


class QuarantineQuery(PageQuery):
    reason: Reason | None = Field(None, description="Not accepted for this")
    peer: Text | None = Field(None, max_length=45, description="From this address")
    replayed: bool | None = Field(None, description="true: taken in since; false: not yet")
    since: Moment | None = Field(None, description="Received at or after this")
    until: Until = Field(None, description="Received before this")


class QuarantinePath(BaseModel):
    id: UUID


@routes.get("/quarantine", scope=Scope.MESSAGES_READ, answers={200: Page[Quarantined]})
def list_quarantine(query: QuarantineQuery) -> Response:
    """List deliveries that were not accepted, newest first"""
    at = place(query.cursor, uuid_key)
    chosen = quarantine.Filter(query.reason, query.peer, query.since, query.until, query.replayed)
    with parts().store.reading() as transaction:
        found = quarantine.page(
            transaction, chosen, after=at.older_than, newer_than=at.newer_than, limit=query.limit + 1
        )
    act(Action.QUARANTINE_READ).reveal(parts().store)
    return jsonify(paged(found, at, query.limit, key=lambda row: row["id"], shown=lambda row: _shown(row, Quarantined)))


@routes.get("/quarantine/<uuid:id>", scope=Scope.MESSAGES_READ, answers={200: QuarantinedWhole}, problems=(404,))
def get_quarantined(path: QuarantinePath) -> Response:
    """Look at one delivery, with its bytes"""
    with parts().store.reading() as transaction:
        found = quarantine.get(transaction, path.id)
    if found is None:
        raise Rejected(NOT_FOUND, "nothing in quarantine has this id")
    act(Action.QUARANTINE_READ).reveal(parts().store)
    return jsonify(_shown({**found, "raw": b64encode(found["raw"]).decode()}, QuarantinedWhole))


@routes.get("/refusals", scope=Scope.MESSAGES_READ, answers={200: RefusedSources})
def list_refusals() -> Response:
    """List sources that were refused, the hundred most recent"""
    with parts().store.reading() as transaction:
        found, kept = refusals.most_recent(transaction, 100), refusals.kept(transaction)
    items = [_shown({**row, "kept": kept.get(row["peer"], 0)}, Refused) for row in found]
    return jsonify({"items": items})


def _shown(row: Any, model: type[BaseModel]) -> dict[str, Any]:
    return model(**{name: row[name] for name in model.model_fields}).model_dump(mode="json")

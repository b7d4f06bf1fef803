"""Replay from quarantine over the API: deliveries read again today, and stored as the replies that they always were."""

from typing import Any
from uuid import UUID

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field

from receiver.access import Act, Action, Scope
from receiver.gateway.replaying import doors, replaying
from receiver.intake.replay import Result, Status
from receiver.intake.replayable import waiting
from receiver.store import quarantine
from receiver.vocabulary import Kind, Reason

from ..parts import parts
from .gate import act
from .problems import NOT_FOUND, REFUSED, Rejected
from .quarantine import QuarantinePath
from .routes import Routes
from .values import Moment, Text, Until, Whole

routes = Routes("Replay", "Deliveries out of quarantine, taken in after all.")

MOST_REPLAYED = 200


class Replayed(BaseModel):
    """What became of a delivery."""

    id: UUID = Field(description="The delivery's; a message that it became has the same")
    status: Status = Field(description="`left`: it can't be accepted now either, and waits as before")
    kind: Kind | None = Field(description="What it turned out to be; null unless it was replayed now")
    duplicate_of: UUID | None = Field(description="The message that it seems to repeat")
    detail: str | None = Field(description="Why it was not replayed now")


class ReplayedMany(BaseModel):
    """A part of what waits in quarantine: what became of each delivery."""

    items: list[Replayed] = Field(description="Those that were read again, oldest first")
    left_out: int = Field(description="Of sources, or with tokens, that are not allowed today", examples=[0])
    next: UUID | None = Field(description="Send it as `newer_than` to go on; null where this was the last part")


class ReplayWanted(BaseModel):
    """Which deliveries to replay: of those not replayed yet, all that meet every condition."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason | None = Field(None, description="Not accepted for this")
    peer: Text | None = Field(None, max_length=45, description="From this address", examples=["203.81.21.34"])
    since: Moment | None = Field(None, description="Received at or after this")
    until: Until = Field(None, description="Received before this")
    limit: Whole = Field(50, ge=1, le=MOST_REPLAYED, description="Deliveries to look at in this call")
    newer_than: UUID | None = Field(None, description="`next` of the call before, with the same filters")


@routes.post("/quarantine/<uuid:id>/replay", scope=Scope.ADMIN, answers={200: Replayed}, problems=(404,))
def replay_delivery(path: QuarantinePath) -> Response:
    """Replay a delivery

    It is read again by the present settings, and stored as the reply that it was: with the time when it came, its
    unsubscribe in force with this answer, and flagged where it is a duplicate. Naming it vouches for it, whoever sent
    it. What can't be accepted now either stays, and the problem says why. A delivery is replayed once: the same again
    changes nothing.
    """
    result = replaying(parts().store, parts().settings).one(path.id, note=_noted(path.id))
    if result.status is Status.UNKNOWN:
        raise Rejected(NOT_FOUND, "nothing in quarantine has this id")
    if result.status is Status.LEFT:
        raise Rejected(REFUSED, f"it can't be accepted now either: {result.detail}")
    return jsonify(_shown(result))


@routes.post("/quarantine/replay", scope=Scope.ADMIN, answers={200: ReplayedMany})
def replay_deliveries(body: ReplayWanted) -> Response:
    """Replay many deliveries

    The oldest ones that match first, some at a time: call it again with `newer_than` until `next` is null. Each is
    replayed as by the call for one, and what was replayed stays so where a later call fails.

    Deliveries of sources that were refused (`source-not-allowed`, `wrong-token`) may be anyone's: without `peer` and
    `reason` those alone are replayed that would be allowed now. To vouch for the others choose them by one of these, or
    name them.
    """
    store, settings = parts().store, parts().settings
    chosen = quarantine.Filter(body.reason, body.peer, body.since, body.until)
    part = waiting(store, chosen, doors(settings), newer_than=body.newer_than, limit=body.limit)
    again = replaying(store, settings)
    items = [_shown(again.one(each, note=_noted(each))) for each in part.wanted]
    last = None if part.last is None else str(part.last)
    return jsonify({"items": items, "left_out": part.left_out, "next": last})


def _noted(delivery: UUID) -> Act:
    return act(Action.QUARANTINE_REPLAYED, str(delivery))


def _shown(result: Result) -> dict[str, Any]:
    return Replayed(**{name: getattr(result, name) for name in Replayed.model_fields}).model_dump(mode="json")

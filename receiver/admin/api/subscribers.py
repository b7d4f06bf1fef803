"""Erasure over the API: what one subscriber wrote is taken out of the database on request."""

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field

from receiver.access import Action, Scope
from receiver.optout.erasure import NothingStored, erase
from receiver.optout.register import LONGEST_REASON, Unexplained

from ..parts import parts
from .gate import act
from .optouts import PhonePath, acting
from .problems import NOT_FOUND, REFUSED, Rejected
from .routes import Routes
from .values import Text, sender

routes = Routes("Subscribers", "What a person may ask for of what is stored about them.")


class ErasureWanted(BaseModel):
    """Why what a subscriber wrote is to be erased."""

    model_config = ConfigDict(extra="forbid")

    reason: Text = Field(
        min_length=1, max_length=LONGEST_REASON, description="Why: the ledger keeps it", examples=["asked by letter"]
    )
    actor: Text | None = Field(
        None, min_length=1, max_length=50, description="The person behind it, kept beside the key", examples=["li"]
    )


class Erasure(BaseModel):
    """What was erased."""

    phone: str = Field(description="E.164, or as it came where it is no phone number", examples=["+8613900000001"])
    messages: int = Field(description="Replies, with their bytes and readings", examples=[3])
    quarantined: int = Field(description="Deliveries in quarantine", examples=[0])
    recipients: int = Field(description="Sends from whose recipients the phone was taken out", examples=[2])
    open: int = Field(
        description="Sends that stay for now: queued, under way or in doubt. Erase again when they are over",
        examples=[0],
    )
    log_emptied: bool = Field(
        description="false: SQLite's write-ahead log may hold copies until a worker empties it, mostly within a minute"
    )


@routes.post("/subscribers/<phone>/erase", scope=Scope.ADMIN, answers={200: Erasure}, problems=(404,))
def erase_subscriber(path: PhonePath, body: ErasureWanted) -> Response:
    """Erase what a subscriber wrote

    In one transaction: every reply with its bytes, readings and what search has of it; deliveries in quarantine; the
    phone among the recipients of sends, and the texts that went to it alone. It can't be undone.

    An opt-out stays in force. What proves it stays too: the ledger's events with the SHA-256 of the bytes that said
    stop, and this erasure as one more of them. Subscriptions and the audit stay as well. What comes in later is new.
    """
    try:
        done = erase(
            parts().store,
            path.phone,
            region=parts().settings.default_region,
            reason=body.reason,
            actor=acting(body.actor),
            note=act(Action.SUBSCRIBER_ERASED, sender(path.phone)),
        )
    except NothingStored as nothing:
        raise Rejected(NOT_FOUND, str(nothing)) from None
    except Unexplained as wrong:
        raise Rejected(REFUSED, str(wrong)) from None
    names = Erasure.model_fields
    return jsonify(Erasure(**{name: getattr(done, name) for name in names}).model_dump(mode="json"))

"""The opt-out register over the API: listed, added to, lifted, proven."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field

from receiver.access import Action, Scope
from receiver.optout.proof import NothingKnown, prove
from receiver.optout.proof_forms import MEDIA, ProofForm, rendered
from receiver.optout.register import LONGEST_ACTOR, LONGEST_REASON, NotOptedOut, Unexplained
from receiver.store import optouts
from receiver.vocabulary.ledger import EventType
from receiver.vocabulary.register import SUBSCRIBER, SYSTEM, Source

from ..parts import parts
from .gate import act, key
from .paging import Page, PageQuery, paged, place, text_key
from .problems import NOT_FOUND, REFUSED, Rejected, invalid
from .routes import Routes
from .values import Moment, PathPhone, Text, Until, identity

routes = Routes("Opt-outs", "Who said stop: nothing is sent to them in whatever form their number is written.")


class OptOut(BaseModel):
    """An opt-out that is in force."""

    phone: str = Field(description="E.164, or as it came where it is no phone number", examples=["+8613900000001"])
    since: Moment
    source: Source = Field(description="How the stop reached the enterprise")
    reason: str | None = Field(description="As a person gave it; null where an SMS said so", examples=["by phone"])
    actor: str = Field(examples=["subscriber"])
    message_id: UUID | None = Field(description="The message that said stop")


class LedgerEvent(BaseModel):
    """One event of the ledger."""

    sequence: int = Field(examples=[42])
    at: Moment
    type: EventType
    actor: str = Field(examples=["subscriber"])
    message_id: UUID | None
    detail: dict[str, Any] = Field(examples=[{"source": "sms"}])
    hash: str = Field(examples=["9af15b336e6a9619928537df30b2e6a2376569fcf9d7e773eccede65606529a0"])


class Subscription(BaseModel):
    """One phone's subscription to one service."""

    phone: str = Field(examples=["+8613900000001"])
    service: str = Field(examples=["news"])
    since: Moment
    cancelled_at: Moment | None = Field(description="When it ended; null while it lasts")


class Subscriber(BaseModel):
    """All that is known of one phone's opt-outs."""

    phone: str = Field(examples=["+8613900000001"])
    opted_out: bool
    optout: OptOut | None = Field(description="The opt-out in force; null where there is none")
    events: list[LedgerEvent] = Field(description="Its history, oldest first")
    subscriptions: list[Subscription] = Field(description="What it ever subscribed to, newest first")


class OptOutsQuery(PageQuery):
    since: Moment | None = Field(None, description="In force since this or later")
    until: Until = Field(None, description="In force since before this")
    source: Source | None = None


class PhonePath(BaseModel):
    phone: PathPhone


_REASON = Field(min_length=1, max_length=LONGEST_REASON, description="Why: the ledger keeps it", examples=["by phone"])
_ACTOR = Field(
    None, min_length=1, max_length=50, description="The person behind it, kept beside the key", examples=["li"]
)


class Wish(BaseModel):
    """Why a phone is to be opted out."""

    model_config = ConfigDict(extra="forbid")

    reason: Text = _REASON
    actor: Text | None = _ACTOR


class LiftQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Text = _REASON
    actor: Text | None = _ACTOR


class ProofQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Literal["json", "html", "pdf"] = Field("json", description="A document, a page, or a PDF with it inside")


@routes.get("/optouts", scope=Scope.OPTOUTS_READ, answers={200: Page[OptOut]})
def list_optouts(query: OptOutsQuery) -> Response:
    """List opt-outs in force, newest first"""
    at = place(query.cursor, _key)
    chosen = optouts.Filter(query.since, query.until, query.source)
    with parts().store.reading() as transaction:
        found = optouts.newest(
            transaction, chosen, older_than=at.older_than, newer_than=at.newer_than, limit=query.limit + 1
        )
    act(Action.OPTOUTS_READ).reveal(parts().store)
    return jsonify(
        paged(found, at, query.limit, key=lambda row: [row["since"].isoformat(), row["phone"]], shown=_optout)
    )


@routes.get("/optouts/<phone:phone>", scope=Scope.OPTOUTS_READ, answers={200: Subscriber})
def get_subscriber(path: PhonePath) -> Response:
    """Look at one phone: whether it is opted out, and all that ever happened to that

    Of a phone that never said stop the answer is the same, with nothing in it.
    """
    known = parts().register.history(path.phone)
    shown = Subscriber(
        phone=known.identity,
        opted_out=known.optout is not None,
        optout=None if known.optout is None else OptOut(**known.optout),
        events=[LedgerEvent(**_picked(event, LedgerEvent)) for event in known.events],
        subscriptions=[Subscription(**_picked(each, Subscription)) for each in known.subscriptions],
    )
    return jsonify(shown.model_dump(mode="json"))


@routes.put("/optouts/<phone:phone>", scope=Scope.OPTOUTS_WRITE, answers={200: OptOut, 201: OptOut})
def add_optout(path: PhonePath, body: Wish) -> tuple[Response, int]:
    """Opt a phone out

    In force with the answer, with the end of its subscriptions and an event in the ledger. 201 where it is new, 200
    where the phone was opted out already: that is an event too, and changes nothing else.
    """
    phone = identity("phone", path.phone)
    try:
        added = parts().register.add(
            [phone],
            source=Source.API,
            reason=body.reason,
            actor=acting(body.actor),
            note=act(Action.OPTOUT_ADDED, phone),
        )
    except Unexplained as wrong:
        raise Rejected(REFUSED, str(wrong)) from None
    with parts().store.reading() as transaction:
        row = optouts.suppressed(transaction, [phone]).get(phone)
    if row is None:  # lifted in this moment
        raise Rejected(NOT_FOUND, "the phone was opted out, and somebody has lifted that already")
    return jsonify(_optout(row)), 201 if added.new else 200


@routes.delete("/optouts/<phone:phone>", scope=Scope.OPTOUTS_WRITE, answers={204: None}, problems=(404,))
def lift_optout(path: PhonePath, query: LiftQuery) -> tuple[str, int]:
    """Lift an opt-out

    Only for a subscriber who asked for it. The reason and who did it are events of the ledger, and part of every later
    proof. Subscriptions stay cancelled. The reason is in the query, since proxies drop the body of a DELETE.
    """
    try:
        parts().register.lift(
            path.phone,
            reason=query.reason,
            actor=acting(query.actor),
            note=act(Action.OPTOUT_LIFTED, path.phone),
        )
    except NotOptedOut as nothing:
        raise Rejected(NOT_FOUND, str(nothing)) from None
    except Unexplained as wrong:
        raise Rejected(REFUSED, str(wrong)) from None
    return "", 204


@routes.get(
    "/optouts/<phone:phone>/proof",
    scope=Scope.OPTOUTS_READ,
    answers={
        200: {
            "description": "The proof, in the form that was asked for",
            "content": {
                "application/json": {"schema": {"type": "object"}, "example": {"format": "receiver-proof"}},
                "text/html": {"schema": {"type": "string"}},
                "application/pdf": {"schema": {"type": "string", "contentMediaType": "application/pdf"}},
            },
        }
    },
    problems=(404,),
)
def get_proof(path: PhonePath, query: ProofQuery) -> Response:
    """Prove a phone's opt-outs

    A document that an auditor can check without this system: see "receiver optouts check-proof".
    """
    try:
        document = prove(parts().store, path.phone, parts().settings.default_region)
    except NothingKnown as nothing:
        raise Rejected(NOT_FOUND, str(nothing)) from None
    act(Action.PROOF_MADE, document["phone"], format=query.format).record(parts().store)
    return Response(rendered(document, query.format), content_type=MEDIA[ProofForm(query.format)])


def acting(person: str | None) -> str:
    """Who acts: the person, where one is named, through the key."""
    if person is None:
        return key().actor
    if not person.strip() or not person.isprintable() or person.strip().casefold() in (SUBSCRIBER, SYSTEM):
        raise invalid("actor", "write a person's name on one line, other than the ledger's own words")
    return f"{person.strip()} via {key().prefix}"[:LONGEST_ACTOR]


def _key(written: Any) -> tuple[datetime, str]:
    since, phone = written
    moment = datetime.fromisoformat(since)
    if moment.tzinfo is None:
        raise ValueError
    # At the ends of the calendar there are moments that no database can reckon with.
    return moment.astimezone(UTC), text_key(phone)


def _optout(row: Mapping[Any, Any]) -> dict[str, Any]:
    return OptOut(**_picked(row, OptOut)).model_dump(mode="json")


def _picked(row: Mapping[Any, Any], model: type[BaseModel]) -> dict[str, Any]:
    return {name: row[name] for name in model.model_fields}

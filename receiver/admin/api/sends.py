"""Sends over the API: what became of each, and what a person decides about them."""

from typing import Any, Literal
from uuid import UUID

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field

from receiver.access import Action, Scope
from receiver.gateway.sending import Found, Inadmissible, NoSuchSend, cancel, expire, settle
from receiver.optout.register import LONGEST_REASON
from receiver.store import sends
from receiver.store.sends import State

from ..parts import parts
from .gate import act, key
from .paging import Page, PageQuery, paged, place, text_key, uuid_key
from .problems import CONFLICT, NOT_FOUND, REFUSED, Rejected
from .routes import Routes
from .values import Moment, Phone, Text, Until

routes = Routes("Sends", "What was sent, to whom, and what is in doubt until somebody settles it.")


class Counts(BaseModel):
    """How many people are in which state."""

    queued: int
    sending: int = Field(description="With the gateway now")
    accepted: int
    refused: int
    blocked: int = Field(description="Opted out: never texted")
    in_doubt: int = Field(description="The answer was lost: never sent again by itself")
    cancelled: int


class Send(BaseModel):
    """One text to many phones."""

    id: UUID
    created_at: Moment
    actor: str = Field(examples=["crm (rcv_3f9a1c2b)"])
    text: str = Field(examples=["明天停水"])
    sender: str | None = Field(examples=["01"])
    at: Moment | None
    is_held: bool
    is_long: bool
    ended_at: Moment | None = Field(description="When it was cancelled, or refused as a whole")
    counts: Counts


class Recipient(BaseModel):
    """One phone of a send."""

    phone: str = Field(examples=["+8613900000001"])
    written: str = Field(description="As it was given", examples=["139 0000 0001"])
    state: State
    code: int | None = Field(description="The gateway's code, where it refused", examples=[6008])
    detail: str | None = Field(description="Why", examples=["invalid phone"])
    settled_at: Moment | None
    settled_by: str | None = Field(examples=["li"])
    settled_reason: str | None = Field(examples=["the gateway's log has it"])


class SendsQuery(PageQuery):
    since: Moment | None = Field(None, description="Asked for at or after this")
    until: Until = Field(None, description="Asked for before this")
    in_doubt: bool = Field(False, description="Only those with somebody in doubt")


class SendPath(BaseModel):
    id: UUID


class RecipientsQuery(PageQuery):
    state: State | None = Field(None, description="Only those in this state")


class Why(BaseModel):
    """Why a send is cancelled."""

    model_config = ConfigDict(extra="forbid")

    reason: Text = Field(min_length=1, max_length=LONGEST_REASON, examples=["a slip"])


class Settlement(BaseModel):
    """What somebody found out."""

    model_config = ConfigDict(extra="forbid")

    found: Literal["sent", "not-sent"]
    phones: list[Phone] | None = Field(None, max_length=20_000, description="Only these; all in doubt without it")
    reason: Text = Field(min_length=1, max_length=LONGEST_REASON, examples=["the gateway's log has them"])


class Changed(BaseModel):
    """How many people it was about."""

    people: int = Field(examples=[2])


@routes.get("/sends", scope=Scope.SMS_SEND, answers={200: Page[Send]})
def list_sends(query: SendsQuery) -> Response:
    """List sends, newest first"""
    at, store = place(query.cursor, uuid_key), parts().store
    expire(store)
    with store.reading() as transaction:
        chosen = sends.Filter(query.since, query.until, query.in_doubt)
        found = sends.page(transaction, chosen, after=at.older_than, newer_than=at.newer_than, limit=query.limit + 1)
        counts = sends.counts(transaction, [row["id"] for row in found])
    return jsonify(paged(found, at, query.limit, key=lambda row: row["id"], shown=lambda row: _shown(row, counts)))


@routes.get("/sends/<uuid:id>", scope=Scope.SMS_SEND, answers={200: Send}, problems=(404,))
def get_send(path: SendPath) -> Response:
    """Look at a send, and how many people are in which state"""
    store = parts().store
    expire(store)
    with store.reading() as transaction:
        found = sends.get(transaction, path.id)
        counts = sends.counts(transaction, [path.id])
    if found is None:
        raise Rejected(NOT_FOUND, "no send has this id")
    return jsonify(_shown(found, counts))


@routes.get("/sends/<uuid:id>/recipients", scope=Scope.SMS_SEND, answers={200: Page[Recipient]}, problems=(404,))
def list_recipients(path: SendPath, query: RecipientsQuery) -> Response:
    """List a send's recipients

    By phone, the lowest first: `next` leads to the following ones.
    """
    at, store = place(query.cursor, text_key), parts().store
    expire(store)
    with store.reading() as transaction:
        if sends.get(transaction, path.id) is None:
            raise Rejected(NOT_FOUND, "no send has this id")
        found = sends.recipients(
            transaction,
            path.id,
            state=query.state,
            after=at.older_than,
            before=at.newer_than,
            limit=query.limit + 1,
        )
    act(Action.SENDS_READ).reveal(store)
    return jsonify(paged(found, at, query.limit, key=lambda row: row["phone"], shown=_recipient))


@routes.post("/sends/<uuid:id>/cancel", scope=Scope.SMS_SEND, answers={200: Changed}, problems=(404,))
def cancel_send(path: SendPath, body: Why) -> Response:
    """Cancel what is not yet with the gateway

    What is being sent now is sent, unless it comes back unsent: then it is cancelled too. What the gateway keeps for
    later can't be taken back there.
    """
    try:
        people = cancel(
            parts().store,
            path.id,
            actor=key().actor,
            reason=body.reason,
            noted=lambda count: act(Action.SEND_CANCELLED, str(path.id), people=count),
        )
    except NoSuchSend:
        raise Rejected(NOT_FOUND, "no send has this id") from None
    return jsonify({"people": people})


@routes.post("/sends/<uuid:id>/settle", scope=Scope.SMS_SEND, answers={200: Changed}, problems=(404, 409))
def settle_send(path: SendPath, body: Settlement) -> Response:
    """Say what became of people in doubt

    They count as accepted, or as refused. Nothing is sent by it.
    """
    store = parts().store
    expire(store)
    try:
        people = settle(
            store,
            path.id,
            Found(body.found),
            phones=body.phones,
            region=parts().settings.default_region,
            actor=key().actor,
            reason=body.reason,
            noted=lambda count: act(Action.SEND_SETTLED, str(path.id), found=body.found, people=count),
        )
    except NoSuchSend:
        raise Rejected(NOT_FOUND, "no send has this id") from None
    except Inadmissible as wrong:
        raise Rejected(REFUSED, str(wrong)) from None
    if people == 0:
        raise Rejected(CONFLICT, "nobody of them is in doubt")
    return jsonify({"people": people})


def _recipient(row: Any) -> dict[str, Any]:
    return Recipient(**{name: row[name] for name in Recipient.model_fields}).model_dump(mode="json")


def _shown(row: Any, counts: Any) -> dict[str, Any]:
    known = counts[row["id"]]
    told = Counts(**{state.value: known.get(state, 0) for state in State})
    fields = {name: row[name] for name in Send.model_fields if name != "counts"}
    return Send(**fields, counts=told).model_dump(mode="json")

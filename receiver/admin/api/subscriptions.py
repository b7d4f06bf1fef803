"""Subscriptions over the API: which phone has which service."""

from datetime import UTC, datetime
from typing import Any

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field

from receiver.access import Action, Scope
from receiver.optout.register import LONGEST_REASON
from receiver.store import subscriptions
from receiver.store.errors import Conflict
from receiver.store.retrying import written
from receiver.store.sends import Transaction
from receiver.store.subscriptions import Subscribed
from receiver.vocabulary import as_it_came

from ..parts import parts
from .gate import act, key
from .optouts import Subscription
from .paging import Page, PageQuery, paged, place, uuid_key
from .problems import NOT_FOUND, OPTED_OUT, Rejected
from .routes import Routes
from .values import Moment, PathPhone, Phone, Text, identity, sender

routes = Routes("Subscriptions", "Which phone has which service; one that is opted out can get none.")


class SubscriptionsQuery(PageQuery):
    phone: Phone | None = None
    service: Text | None = Field(None, max_length=64, description="To this service, by its code")
    all: bool = Field(False, description="Those that have ended, too")


class SubscriptionPath(BaseModel):
    phone: PathPhone
    service: Text = Field(max_length=64, description="A service's code", examples=["news"])


class Since(BaseModel):
    """Since when a phone has a service."""

    model_config = ConfigDict(extra="forbid")

    since: Moment | None = Field(None, description="Now where it is left out; never in the future")


class CancelQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Text = Field(
        min_length=1, max_length=LONGEST_REASON, description="Why: the ledger keeps it", examples=["by phone"]
    )


@routes.get("/subscriptions", scope=Scope.OPTOUTS_READ, answers={200: Page[Subscription]})
def list_subscriptions(query: SubscriptionsQuery) -> Response:
    """List subscriptions, newest first"""
    at = place(query.cursor, uuid_key)
    with parts().store.reading() as transaction:
        found = subscriptions.page(
            transaction,
            service=query.service,
            phone=None if query.phone is None else sender(query.phone),
            active=not query.all,
            after=at.older_than,
            newer_than=at.newer_than,
            limit=query.limit + 1,
        )
    act(Action.SUBSCRIPTIONS_READ).reveal(parts().store)
    return jsonify(paged(found, at, query.limit, key=lambda row: row["id"], shown=_shown))


@routes.get("/subscriptions/<phone>/<service>", scope=Scope.OPTOUTS_READ, answers={200: Subscription}, problems=(404,))
def get_subscription(path: SubscriptionPath) -> Response:
    """Look at a subscription that lasts"""
    with parts().store.reading() as transaction:
        found = _lasting(transaction, path)
    if found is None:
        raise Rejected(NOT_FOUND, "this phone does not have that service")
    return jsonify(_shown(found))


@routes.put(
    "/subscriptions/<phone>/<service>",
    scope=Scope.OPTOUTS_WRITE,
    answers={200: Subscription, 201: Subscription},
    problems=(404, OPTED_OUT),
)
def add_subscription(path: SubscriptionPath, body: Since) -> tuple[Response, int]:
    """Give a phone a service

    201 where it is new, 200 where the phone has it already. 409 while the phone is opted out.
    """
    phone, now = identity("phone", path.phone), datetime.now(UTC)
    since, noted = min(body.since or now, now), act(Action.SUBSCRIPTION_ADDED, phone, service=path.service)

    def give(transaction: Transaction) -> tuple[Subscribed, Any]:
        became = subscriptions.subscribe(transaction, phone, as_it_came(path.service), since)
        if became is Subscribed.NEW:
            noted.note(transaction)
        lasting = _lasting(transaction, path)
        if became is Subscribed.ALREADY and lasting is None:
            raise Conflict("somebody ended it in this moment")
        return became, lasting

    became, found = written(parts().store, give)
    if became is Subscribed.OPTED_OUT:
        raise Rejected(OPTED_OUT, "this phone is opted out: it can get no service unless that is lifted")
    if became is Subscribed.NO_SERVICE:
        raise Rejected(NOT_FOUND, "there is no such service")
    return jsonify(_shown(found)), 201 if became is Subscribed.NEW else 200


@routes.delete("/subscriptions/<phone>/<service>", scope=Scope.OPTOUTS_WRITE, answers={204: None})
def cancel_subscription(path: SubscriptionPath, query: CancelQuery) -> tuple[str, int]:
    """End a subscription

    That is no opt-out. An event in the ledger keeps the reason; where there is none to end, nothing happens.
    """
    phone = identity("phone", path.phone)
    with parts().store.writing() as transaction:
        ended = subscriptions.cancel(
            transaction,
            phone,
            as_it_came(path.service),
            datetime.now(UTC),
            reason=query.reason,
            actor=key().actor,
        )
        if ended:
            act(Action.SUBSCRIPTION_CANCELLED, phone, service=path.service).note(transaction)
    return "", 204


def _lasting(transaction: Transaction, path: SubscriptionPath) -> Any:
    found = subscriptions.page(transaction, service=as_it_came(path.service), phone=sender(path.phone), limit=1)
    return found[0] if found else None


def _shown(row: Any) -> dict[str, Any]:
    return Subscription(**{name: row[name] for name in Subscription.model_fields}).model_dump(mode="json")

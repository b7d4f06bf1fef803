"""Services over the API: what people subscribe to, and the numbers that replies to it come in on."""

from typing import Any

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field

from receiver.access import Action, Scope
from receiver.optout import services as rules
from receiver.optout.services import LONGEST_NAME, InTheWay, NoSuchService, ServiceError
from receiver.store import services

from ..parts import parts
from .gate import act
from .problems import CONFLICT, NOT_FOUND, REFUSED, Rejected
from .routes import Routes
from .values import Moment, Text

routes = Routes("Services", "What people subscribe to, and the numbers whose replies belong to each.")


class Service(BaseModel):
    """A service."""

    code: str = Field(examples=["news"])
    name: str = Field(examples=["每日新闻"])
    numbers: list[str] = Field(description="Service numbers whose replies belong to it", examples=[["106900001"]])
    prefixes: list[str] = Field(description="How further ones begin", examples=[["10690002"]])
    subscribers: int = Field(description="Phones that have it now", examples=[1200])
    created_at: Moment


class Services(BaseModel):
    """A page of services, by code."""

    items: list[Service]
    next: str | None = Field(description="`after` of the next page; or null", examples=["news"])


class ServicesQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=500, description="Services at most")
    after: Text | None = Field(None, max_length=64, description="The last code of the page before")


class ServicePath(BaseModel):
    code: Text = Field(
        max_length=64, description="1 to 64 letters, digits, dots, hyphens or underscores", examples=["news"]
    )


class Described(BaseModel):
    """What a service is called, and its numbers."""

    model_config = ConfigDict(extra="forbid")

    name: Text = Field(min_length=1, max_length=LONGEST_NAME, examples=["每日新闻"])
    numbers: list[Text] = Field([], max_length=500, examples=[["106900001"]])
    prefixes: list[Text] = Field([], max_length=500, examples=[["10690002"]])


@routes.get("/services", scope=Scope.OPTOUTS_READ, answers={200: Services})
def list_services(query: ServicesQuery) -> Response:
    """List services by code"""
    with parts().store.reading() as transaction:
        found = services.page(transaction, after=query.after, limit=query.limit + 1)
        shown = rules.with_numbers(transaction, found[: query.limit])
    more = len(found) > query.limit
    return jsonify({"items": [_shown(row) for row in shown], "next": shown[-1]["code"] if more else None})


@routes.get("/services/<code>", scope=Scope.OPTOUTS_READ, answers={200: Service}, problems=(404,))
def get_service(path: ServicePath) -> Response:
    """Look at a service"""
    return jsonify(_one(path.code))


@routes.put("/services/<code>", scope=Scope.ADMIN, answers={200: Service, 201: Service}, problems=(409,))
def put_service(path: ServicePath, body: Described) -> tuple[Response, int]:
    """Add a service, or change it

    Its name and all of its numbers are as they are said here. New replies are filed by them within two seconds; those
    that are stored stay where they are. 409 where another service has a number.
    """
    try:
        is_new = rules.change(
            parts().store,
            path.code,
            body.name,
            numbers=body.numbers,
            prefixes=body.prefixes,
            note=act(Action.SERVICE_CHANGED, path.code),
        )
    except InTheWay as taken:
        raise Rejected(CONFLICT, str(taken)) from None
    except ServiceError as wrong:
        raise Rejected(REFUSED, str(wrong)) from None
    return jsonify(_one(path.code)), 201 if is_new else 200


@routes.delete("/services/<code>", scope=Scope.ADMIN, answers={204: None}, problems=(404, 409))
def remove_service(path: ServicePath) -> tuple[str, int]:
    """Remove a service that nobody ever subscribed to

    Replies that are filed under it stay so.
    """
    try:
        rules.remove(parts().store, path.code, note=act(Action.SERVICE_REMOVED, path.code))
    except InTheWay as subscribed:
        raise Rejected(CONFLICT, str(subscribed)) from None
    except NoSuchService as unknown:
        raise Rejected(NOT_FOUND, str(unknown)) from None
    return "", 204


def _one(code: str) -> dict[str, Any]:
    with parts().store.reading() as transaction:
        found = services.get(transaction, code)
        if found is None:
            raise Rejected(NOT_FOUND, "no service has this code")
        return _shown(rules.with_numbers(transaction, [found])[0])


def _shown(row: Any) -> dict[str, Any]:
    return Service(**{name: row[name] for name in Service.model_fields}).model_dump(mode="json")

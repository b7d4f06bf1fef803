"""Sending over the API: guarded, at most once for each idempotency key, and what the gateway says of a text."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field

from receiver.access import Action, Scope
from receiver.config import ConfigurationError
from receiver.gateway import Gateway, GatewayError, InDoubt, NotSent, Refusal, Unsendable
from receiver.gateway.sending import Inadmissible, Key, KeyReused, Plan, Sending, SendRequest, Unknown, send_once
from receiver.gateway.sending.request import MOST_RECIPIENTS
from receiver.gateway.settings import gateway_of

from ..parts import parts
from .gate import act, key
from .problems import GATEWAY, REFUSED, REUSED_KEY, UNAVAILABLE, Rejected
from .routes import Routes
from .values import Moment, Phone, Text

routes = Routes("Sending", "To nobody who said stop, and to nobody twice.")

LONGEST_KEY = 200


class NewSms(BaseModel):
    """A text to send."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"text": "明天停水", "phones": ["139 0000 0001", "+8613900000002"]}]},
    )

    text: Text = Field(min_length=1, max_length=240, examples=["明天停水"])
    phones: list[Phone] = Field(
        min_length=1,
        max_length=MOST_RECIPIENTS,
        description="In any written form; each person once",
        examples=[["139 0000 0001"]],
    )
    at: Moment | None = Field(
        None, description="When the gateway shall send it; at once without it", examples=["2099-01-01T09:00:00+08:00"]
    )
    hold: bool = Field(False, description="Keep it here until five minutes before `at`, and ask the register then")
    sender: Text | None = Field(
        None, max_length=8, description="Extension digits behind the service number", examples=["01"]
    )
    base: Text | None = Field(
        None, max_length=16, description="The service number: with `sender` at most 16 digits", examples=["10690001"]
    )
    long: bool = Field(False, description="A long SMS, up to 240 characters, to mobiles alone")
    skip_invalid: bool = Field(False, description="Send to the others though some phones can't be sent to")
    check_content: bool = Field(False, description="Ask the gateway first whether the text is allowed")
    dry_run: bool = Field(False, description="Say what it would come to; send and keep nothing")


class SmsHeaders(BaseModel):
    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        min_length=1,
        max_length=LONGEST_KEY,
        pattern=r"^[!-~]+$",
        description="The same one again, within a day and with the same body, is the same send",
        examples=["8e03978e-40d5-43e8-bc93-6894a57f9324"],
    )


class LeftOut(BaseModel):
    """Somebody who is not sent to, and why."""

    phone: str = Field(description="As it was given", examples=["139 0000 0001"])
    reason: str = Field(examples=["opted out since 2026-06-03 09:00 UTC (sms)"])


class Sms(BaseModel):
    """A send that is queued, or what it would come to."""

    id: UUID | None = Field(description="The send's id; null where it was a dry run")
    recipients: int = Field(description="People that it goes to", examples=[1])
    characters: int = Field(examples=[4])
    parts: int = Field(description="SMS that it is to each", examples=[1])
    at: Moment | None = Field(description="When the gateway shall send it; null: at once")
    blocked: list[LeftOut] = Field(description="Opted out: nothing is sent to them")
    invalid: list[LeftOut] = Field(description="Can't be sent to, and were to be left out")


class TextToCheck(BaseModel):
    """A text to ask about."""

    model_config = ConfigDict(extra="forbid")

    text: Text = Field(min_length=1, max_length=540, examples=["明天停水"])


class Allowed(BaseModel):
    """What the gateway says of a text."""

    allowed: bool
    code: int = Field(description="0, 6005 or 6022", examples=[0])
    reason: str = Field(description="The forbidden word, or the rule, in the gateway's words", examples=[""])


class Balance(BaseModel):
    """What is left on the account at the gateway."""

    amount: int = Field(description="In the gateway's own unit", examples=[9586])
    short_name: str = Field(description="What it puts before each text", examples=["好"])


@routes.post("/sms", scope=Scope.SMS_SEND, answers={202: Sms, 200: Sms}, problems=(502, REUSED_KEY))
def send_sms(body: NewSms, header: SmsHeaders) -> tuple[Response, int]:
    """Send a text

    Who is opted out is left out, with an event in the ledger. The rest is queued, all or nothing, and a worker hands it
    to the gateway: see `GET /sends/{id}` for what became of each. 200 answers a dry run.

    Send an `Idempotency-Key`, a random word of your own: whatever happens to the answer, the same request again within
    a day is the same send with the same answer, and nobody is texted twice. The same key with another body is refused;
    a request that was refused may be corrected under its key.
    """
    request = SendRequest(
        body.phones,
        body.text,
        body.at,
        body.hold,
        body.sender,
        body.base,
        long=body.long,
        skip_invalid=body.skip_invalid,
    )
    chosen = parts().settings
    with _explained():
        if body.dry_run:
            plan = Sending(parts().store, chosen.default_region, charset=chosen.gateway_charset).plan(request)
            return jsonify(_shown(None, plan)), 200
        gateway = _gateway()
        enqueued = send_once(
            parts().store,
            request,
            key().actor,
            key=_key(body, header.idempotency_key),
            region=chosen.default_region,
            charset=chosen.gateway_charset,
            checked=lambda: _check(gateway, body.text) if body.check_content else None,
            noted=lambda made: act(Action.SEND_QUEUED, str(made.send_id), recipients=len(made.plan.allowed)),
        )
    return jsonify(_shown(enqueued.send_id, enqueued.plan)), 202


@routes.post("/sms/check", scope=Scope.SMS_SEND, answers={200: Allowed}, problems=(502,))
def check_text(body: TextToCheck) -> Response:
    """Ask the gateway whether a text is allowed"""
    with _explained():
        verdict = _gateway().check_content(body.text)
    return jsonify({"allowed": verdict.allowed, "code": verdict.code, "reason": verdict.reason})


@routes.get("/gateway/balance", scope=Scope.SMS_SEND, answers={200: Balance}, problems=(502,))
def get_balance() -> Response:
    """Ask what is left on the account"""
    with _explained():
        left = _gateway().balance()
    return jsonify({"amount": left.amount, "short_name": left.short_name})


def _key(body: NewSms, word: str | None) -> Key | None:
    if word is None:
        return None
    # What a program leaves out and what it gives as it is by default are the same request.
    said = json.dumps(body.model_dump(mode="json", exclude_defaults=True), sort_keys=True)
    return Key(key().id, word, said.encode())


def _check(gateway: Gateway, text: str) -> None:
    verdict = gateway.check_content(text)
    if not verdict.allowed:
        raise Rejected(REFUSED, f"the gateway forbids this text ({verdict.code}: {verdict.reason})")


def _shown(send_id: UUID | None, plan: Plan) -> dict[str, Any]:
    return Sms(
        id=send_id,
        recipients=len(plan.allowed),
        characters=plan.characters,
        parts=plan.parts,
        at=plan.at,
        blocked=[LeftOut(phone=person.written, reason=stopped.reason) for person, stopped in plan.blocked],
        invalid=[LeftOut(phone=each.written, reason=each.problem) for each in plan.recipients.invalid],
    ).model_dump(mode="json")


def _gateway() -> Gateway:
    try:
        return gateway_of(parts().settings)
    except ConfigurationError as missing:
        raise Rejected(REFUSED, f"no gateway is set up here: {missing}") from None


@contextmanager
def _explained() -> Iterator[None]:
    """Failures of sending as problems: what is wrong with the request, the database, or the gateway."""
    try:
        yield
    except KeyReused as reused:
        raise Rejected(REUSED_KEY, str(reused)) from None
    except Inadmissible as wrong:
        # The rules speak of the command line's options; here they are fields.
        fields = re.sub(r"--([a-z-]+)", lambda found: found[1].replace("-", "_"), str(wrong))
        raise Rejected(REFUSED, fields) from None
    except Unknown as lost:
        raise Rejected(
            UNAVAILABLE,
            f"the database was lost while it stored the send {lost.send_id}: ask again with the same idempotency key",
            headers={"Retry-After": "2"},
        ) from None
    except Unsendable as wrong:
        raise Rejected(REFUSED, str(wrong)) from None
    except GatewayError as failure:
        raise Rejected(GATEWAY, _told(failure)) from None


def _told(failure: GatewayError) -> str:
    match failure:
        case Refusal():
            said = f" It says: {failure.message}" if failure.message else ""
            return f"{failure}.{said}"
        case NotSent():
            return f"{failure}. Nothing was asked"
        case InDoubt():
            return f"{failure}. Whether the gateway did it is not known"
    return str(failure)

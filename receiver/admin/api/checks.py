"""Who may be sent to, asked right before: the register, and what of it may still wait in the spool."""

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field

from receiver.access import Scope
from receiver.intake.spool import HoldReason, hold, spool_of
from receiver.optout import guard
from receiver.optout.guard import GuardUnavailable
from receiver.vocabulary.register import Source

from ..parts import parts
from .problems import UNAVAILABLE, Rejected
from .routes import Routes
from .values import Moment, Phone

routes = Routes("Checks", "Who may be sent to: ask right before each send.")

MOST_ASKED = 10_000


class Asked(BaseModel):
    """Phones to ask about."""

    model_config = ConfigDict(extra="forbid")

    phones: list[Phone] = Field(min_length=1, max_length=MOST_ASKED, examples=[["139 0000 0001", "+8613900000002"]])


class BlockedPhone(BaseModel):
    """A phone that nothing may be sent to."""

    phone: str = Field(description="As it was asked about", examples=["139 0000 0001"])
    identity: str = Field(description="As the register has it", examples=["+8613900000001"])
    since: Moment
    source: Source
    reason: str | None = Field(examples=["by phone"])


class AllowedPhone(BaseModel):
    """A phone that may be sent to."""

    phone: str = Field(description="As it was asked about", examples=["+8613900000002"])
    identity: str = Field(description="Its E.164 form", examples=["+8613900000002"])


class HeldPhone(BaseModel):
    """A phone of which the register knows no stop, and that may not be sent to now all the same."""

    phone: str = Field(description="As it was asked about", examples=["+8613900000002"])
    identity: str = Field(description="Its E.164 form", examples=["+8613900000002"])


class Holding(BaseModel):
    """Why nobody may be sent to now: what waits on the server's disk may be a stop that the register lacks."""

    reason: HoldReason
    count: int | None = Field(description="Replies that wait, or files that are damaged", examples=[3])
    detail: str = Field(examples=["3 replies wait in this machine's spool, and an unsubscribe may be among them"])


class Verdict(BaseModel):
    """Each phone that was asked about, in one of the lists."""

    blocked: list[BlockedPhone]
    allowed: list[AllowedPhone] = Field(description="Nobody, while there is a hold")
    held: list[HeldPhone] = Field(description="Who would be allowed, were there no hold")
    hold: Holding | None = Field(description="Why nobody may be sent to now; null where nothing hinders that")
    invalid: list[str] = Field(description="What is no phone number: nothing may be sent there", examples=[["12"]])


@routes.post("/optouts/check", scope=Scope.OPTOUTS_READ, answers={200: Verdict})
def check_phones(body: Asked) -> Response:
    """Ask which phones are opted out

    Each is in one of the lists once, as it was written. Send to those in "allowed" and to nobody else, and ask right
    before: the answer is that of the moment. While replies wait in the spool nobody is allowed: those that the register
    doesn't block are "held", and "hold" says why; ask again. Where the register can't be asked the answer is 503, and
    nobody may be texted.
    """
    held = hold(spool_of(parts().settings))
    try:
        verdict = guard.blocked(parts().store, body.phones, parts().settings.default_region)
    except GuardUnavailable:
        raise Rejected(
            UNAVAILABLE, "the register can't be asked, so nobody may be texted: try again", headers={"Retry-After": "2"}
        ) from None
    clear = [{"phone": written, "identity": known} for written, known in verdict.allowed]
    return jsonify(
        {
            "blocked": [
                BlockedPhone(
                    phone=each.written,
                    identity=each.identity,
                    since=each.since,
                    source=Source(each.source),
                    reason=each.reason,
                ).model_dump(mode="json")
                for each in verdict.blocked
            ],
            "allowed": [] if held else clear,
            "held": clear if held else [],
            "hold": None if held is None else {"reason": held.why, "count": held.count, "detail": str(held)},
            "invalid": verdict.invalid,
        }
    )

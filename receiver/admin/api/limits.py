"""Rate limits as requests meet them: 429 once one is exceeded, and headers that tell beforehand.

The headers are those of draft-ietf-httpapi-ratelimit-headers (10): lists of policies, each with its parameters.
"""

from flask import Response, g

from receiver.access.rates import Policy, Standing

from ..parts import parts
from .problems import RATE_LIMITED, Rejected

_OF = {
    Policy.KEY: "this key",
    Policy.ADDRESS: "this address",
    Policy.FAILURES: "this address without a key that may be used",
}


def take(policy: Policy, who: str) -> None:
    """Count this request for ``who``. Raises Rejected where that is one too many."""
    standing = parts().rates.take(policy, who)
    if standing is None:
        return
    _standings().append(standing)
    if standing.is_exceeded:
        wait = max(1, standing.seconds_left)
        detail = f"{standing.amount} requests of {_OF[policy]} are allowed in {standing.window} seconds: wait {wait}"
        raise Rejected(RATE_LIMITED, detail, headers={"Retry-After": str(wait)})


def tell(response: Response) -> Response:
    """Say in the headers what was counted."""
    if standings := _standings():
        response.headers["RateLimit-Policy"] = ", ".join(
            f'"{each.policy}";q={each.amount};w={each.window}' for each in standings
        )
        response.headers["RateLimit"] = ", ".join(
            f'"{each.policy}";r={max(0, each.remaining)};t={each.seconds_left}' for each in standings
        )
    return response


def _standings() -> list[Standing]:
    held: list[Standing] = g.setdefault("standings", [])
    return held

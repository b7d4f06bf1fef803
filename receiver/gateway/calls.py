"""What is counted of our calls to the gateway."""

from receiver import tally

from .client import GatewayError, InDoubt, Refusal


def count(page: str, nanoseconds: int, failure: GatewayError | None) -> None:
    """Count a call that was made, for ``Gateway``'s ``observe``."""
    tally.GATEWAY_CALLS.of(page, _result(failure)).add()
    tally.GATEWAY_SECONDS.of().observe(nanoseconds)
    if isinstance(failure, Refusal):
        tally.code_of(failure.code).add()


def _result(failure: GatewayError | None) -> str:
    match failure:
        case None:
            return "answered"
        case Refusal():
            return "refused"
        case InDoubt():
            return "in_doubt"
    return "not_sent"

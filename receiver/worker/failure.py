"""What may be told of a failure: its kind and its words, where these are ours, and never a phone or a text."""

from receiver.config import ConfigurationError
from receiver.gateway.client import GatewayError
from receiver.gateway.polling import PollingError
from receiver.observability import place_of
from receiver.store.errors import StoreError
from receiver.vocabulary import mask_phones

from .lease import LeaseLost
from .verifying import LedgerBroken

# Their words are made by us, or of an operating system or driver that knows of no reply.
_SPOKEN = (ConfigurationError, GatewayError, LeaseLost, LedgerBroken, OSError, PollingError, StoreError)
_LONGEST = 300


def described(error: BaseException) -> str:
    """One line for logs and people. Of an error that may quote what it failed at, only where it arose."""
    kind = type(error).__name__
    if isinstance(error, _SPOKEN):
        first_line = str(error).strip().partition("\n")[0]
        return f"{kind}: {mask_phones(first_line)}"[:_LONGEST]
    return f"{kind} in {place_of(error)}"

"""What became of each phone of a call, by the gateway's answer (protocol.md §2): what is not clear is in doubt."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from receiver.gateway.client import SendAnswer
from receiver.store.sends import State
from receiver.vocabulary import as_it_came, phone_identity

# The gateway writes numbers as they are dialled in China, whatever DEFAULT_REGION says.
_GATEWAY_REGION = "CN"
_LONGEST_WORDS = 500


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one recipient, with the gateway's code and words where it was not accepted."""

    state: State
    code: int | None = None
    detail: str | None = None

    def values(self) -> dict[str, Any]:
        """The columns of a recipient."""
        return {"state": self.state, "code": storable_code(self.code), "detail": storable(self.detail)}


ACCEPTED = Fate(State.ACCEPTED)
_CONTRADICTS = "the gateway's answer contradicts itself about this phone"
_SILENT = "the gateway's answer does not say whether this phone was accepted"


def fates(asked: Sequence[str], answer: SendAnswer) -> dict[str, Fate]:
    """The fate of each phone in ``asked`` (identities, each once), by phone.

    ``num`` decides how many were accepted; the lists say which. A phone in ``success`` is accepted, one in ``faile``
    refused. One that is in neither is accepted where the number needs it to be, refused where the number is reached
    without it, and else in doubt. So is whatever number and lists contradict each other about.
    """
    named, foreign = _named(asked, answer.accepted)
    failed, _ = _named(asked, answer.refused)
    both = named & failed
    accepted, refused = named - both, failed - both
    open_ones = len(asked) - len(accepted) - len(refused)
    # How many of those about whom the lists don't speak clearly must have been accepted.
    remaining = answer.num - len(accepted)
    refusal = Fate(State.REFUSED, answer.code or None, answer.message or None)
    contradiction = Fate(State.IN_DOUBT, answer.code or None, _CONTRADICTS)

    def fate(phone: str) -> Fate:
        if phone in accepted:
            return ACCEPTED if remaining >= 0 else contradiction
        if phone in refused:
            return refusal if remaining <= open_ones else contradiction
        if phone in both:
            return contradiction
        if answer.num == len(asked) or remaining == open_ones:
            return ACCEPTED
        if remaining == 0 and not foreign:
            return refusal
        return Fate(State.IN_DOUBT, answer.code or None, _SILENT)

    return {phone: fate(phone) for phone in asked}


def storable(words: str | None) -> str | None:
    """The gateway's words as every database takes them: one that did not would leave a known answer in doubt."""
    return None if words is None else as_it_came(words)[:_LONGEST_WORDS]


def storable_code(code: int | None) -> int | None:
    """A code that fits its column; one that does not is none of the gateway's."""
    return code if code is not None and abs(code) < 2**31 else None


def _named(asked: Sequence[str], listed: Iterable[str]) -> tuple[set[str], bool]:
    """Who of ``asked`` is in a list, in whatever form, and whether anybody else is."""
    identities = {phone_identity(written, _GATEWAY_REGION) for written in listed}
    return {phone for phone in asked if phone in identities}, not identities <= set(asked)

"""From a parsed reply to durable: group commit, quarantine, refusals."""

from .intake import Intake
from .outcome import Outcome

__all__ = ["Intake", "Outcome"]

"""Words of the opt-out register: where a stop came from, and who acted."""

from enum import StrEnum

# Who acts where the subscriber's own SMS does.
SUBSCRIBER = "subscriber"
# Who acts where the receiver itself does.
SYSTEM = "system"


class Source(StrEnum):
    """How a stop reached the enterprise."""

    SMS = "sms"
    MANUAL = "manual"
    IMPORT = "import"
    API = "api"

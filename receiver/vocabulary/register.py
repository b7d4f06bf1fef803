"""Words of the opt-out register: where a stop came from, and who acted."""

from enum import StrEnum

# Who acts where the subscriber's own SMS does.
SUBSCRIBER = "subscriber"


class Source(StrEnum):
    """How a stop reached the enterprise."""

    SMS = "sms"
    MANUAL = "manual"
    IMPORT = "import"
    API = "api"

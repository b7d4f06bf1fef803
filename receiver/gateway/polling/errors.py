"""Why replies are not pulled now, though the gateway would answer."""


class PollingError(Exception):
    """The base of them; no message holds a phone or a text."""


class CannotStore(PollingError):
    """What is in the spool can't be stored: no more is read, since a read is destructive."""


class CannotSpool(PollingError):
    """The spool can't be written: no more is read, since what is read must be kept first."""

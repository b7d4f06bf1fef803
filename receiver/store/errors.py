"""What the store raises: its callers know no database library."""


class StoreError(Exception):
    """A transaction that failed as a whole: nothing of it is stored, or (in mid-commit) nothing is known."""


class Unavailable(StoreError):
    """The database can't be used now: gone, hanging, full, locked, read-only."""


class Refused(StoreError):
    """The database works and refuses what it was given."""


class Conflict(StoreError):
    """Deadlock or serialization failure: nothing was written, and the same again may succeed."""

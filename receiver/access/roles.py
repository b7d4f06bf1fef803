"""What a person may do in the console, by role: four roles, so that everybody's can be said in one word."""

from enum import StrEnum


class Role(StrEnum):
    VIEWER = "viewer"
    OPERATOR = "operator"
    COMPLIANCE = "compliance"
    ADMIN = "admin"


class Permission(StrEnum):
    """One thing that a page lets people do."""

    SEE = "see"
    """Every page of replies, opt-outs and sends, with phones masked."""
    REVEAL = "reveal"
    EXPORT = "export"
    SEND = "send"
    REDECODE = "redecode"
    REPLAY = "replay"
    """Take deliveries in from quarantine."""
    OPT_OUT = "opt-out"
    LIFT = "lift"
    PROVE = "prove"
    """Proofs of opt-outs, and the ledger's verification."""
    SERVICES = "services"
    GATEWAY = "gateway"
    """Change the password at the gateway."""
    KEYS = "keys"
    PEOPLE = "people"
    AUDIT = "audit"
    ERASE = "erase"


_SEES = frozenset([Permission.SEE])
_OPERATES = _SEES | {
    Permission.REVEAL, Permission.EXPORT, Permission.SEND, Permission.REDECODE, Permission.REPLAY,
}  # fmt: skip
_COMPLIES = _SEES | {
    Permission.REVEAL, Permission.EXPORT, Permission.OPT_OUT, Permission.LIFT, Permission.PROVE, Permission.AUDIT,
}  # fmt: skip

PERMISSIONS = {
    Role.VIEWER: _SEES,
    Role.OPERATOR: _OPERATES,
    Role.COMPLIANCE: _COMPLIES,
    Role.ADMIN: frozenset(Permission),
}

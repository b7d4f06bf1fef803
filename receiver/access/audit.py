"""The audit: who changed, exported or revealed what, when and from where, written with the change itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from receiver.store import audit_log
from receiver.store.sends import Transaction
from receiver.store.store import Store
from receiver.vocabulary import earliest_id, new_id


class Action(StrEnum):
    """What somebody did."""

    MESSAGES_READ = "messages.read"
    MESSAGES_EXPORTED = "messages.exported"
    MESSAGES_STREAMED = "messages.streamed"
    MESSAGE_REDECODED = "message.redecoded"
    SUBSCRIBER_ERASED = "subscriber.erased"
    OPTOUT_ADDED = "optout.added"
    OPTOUT_LIFTED = "optout.lifted"
    OPTOUTS_READ = "optouts.read"
    OPTOUTS_EXPORTED = "optouts.exported"
    OPTOUTS_IMPORTED = "optouts.imported"
    PROOF_MADE = "proof.made"
    SUBSCRIPTION_ADDED = "subscription.added"
    SUBSCRIPTION_CANCELLED = "subscription.cancelled"
    SUBSCRIPTIONS_READ = "subscriptions.read"
    SUBSCRIPTIONS_IMPORTED = "subscriptions.imported"
    SERVICE_CHANGED = "service.changed"
    SERVICE_REMOVED = "service.removed"
    QUARANTINE_READ = "quarantine.read"
    QUARANTINE_REPLAYED = "quarantine.replayed"
    SEND_QUEUED = "send.queued"
    SEND_CANCELLED = "send.cancelled"
    SEND_SETTLED = "send.settled"
    SENDS_READ = "sends.read"
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    PASSWORD_CHANGED = "gateway.password.changed"
    PERSON_INVITED = "person.invited"
    PERSON_LINKED = "person.linked"
    PERSON_JOINED = "person.joined"
    """Somebody set a password by a link."""
    PERSON_CHANGED = "person.changed"
    PERSON_DISABLED = "person.disabled"
    PERSON_ENABLED = "person.enabled"
    LOGGED_IN = "person.logged-in"
    LOGGED_OUT = "person.logged-out"
    SESSIONS_ENDED = "person.sessions-ended"
    OWN_PASSWORD_CHANGED = "person.password-changed"
    SECOND_FACTOR_ENABLED = "person.second-factor-enabled"
    SECOND_FACTOR_DISABLED = "person.second-factor-disabled"
    RECOVERY_CODE_USED = "person.recovery-code-used"
    RECOVERY_CODES_RENEWED = "person.recovery-codes-renewed"
    PHONE_SEARCHED = "phone.searched"
    TEST_PUSHED = "test.pushed"
    DATABASE_BACKED_UP = "database.backed-up"
    DATABASE_RESTORED = "database.restored"
    SPOOL_SETTLED = "spool.settled"
    """Somebody saw to a damaged file of the spool, which holds no sends any more."""


# What this process has noted of this hour.
_revealed: set[tuple[str, str, "Action", str | None, datetime]] = set()


class Via(StrEnum):
    """Through which door."""

    API = "api"
    CLI = "cli"
    CONSOLE = "console"


@dataclass(frozen=True, slots=True)
class Act:
    """One row of the audit before it is written: whoever changes something writes it in the same transaction.

    ``target`` names what it was done to (an id, a phone, a service); ``detail`` never holds a text or a secret.
    """

    action: Action
    actor: str
    via: Via
    target: str | None = field(default=None, repr=False)
    detail: Mapping[str, Any] = field(default_factory=dict, repr=False)
    key_id: UUID | None = None
    peer: str | None = None

    def note(self, transaction: Transaction) -> None:
        """Write it within ``transaction``: it is true with that, or not at all."""
        audit_log.add(
            transaction,
            {
                "id": new_id(),
                "action": self.action,
                "actor": self.actor,
                "via": self.via,
                "target": self.target,
                "detail": dict(self.detail),
                "key_id": self.key_id,
                "peer": self.peer,
            },
        )

    def reveal(self, store: Store) -> None:
        """Note that phones were shown: once for who does it, what, to what, and the hour. Raises StoreError.

        A program that reads a page a second shall not fill the audit, nor write each time.
        """
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        once = (store.description, self.actor, self.action, self.target, hour)
        if once in _revealed:
            return
        begun = earliest_id(hour)
        with store.writing() as transaction:
            if not audit_log.was_noted(transaction, self.action, self.actor, self.target, since=begun):
                self.note(transaction)
        _revealed.add(once)
        for each in [each for each in _revealed if each[-1] < hour]:
            _revealed.discard(each)

    def record(self, store: Store) -> None:
        """Write it in a transaction of its own: before what it tells of is shown to anybody. Raises StoreError."""
        with store.writing() as transaction:
            self.note(transaction)

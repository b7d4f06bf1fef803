"""API keys: made once and shown once, kept as a hash, checked in constant time, and revoked for good."""

import hmac
import logging
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from receiver.store import api_keys
from receiver.store.errors import StoreError
from receiver.store.store import Store
from receiver.vocabulary import new_id

from .audit import Act
from .scopes import Scope

_log = logging.getLogger(__name__)

LONGEST_NAME = 60
# rcv_<8 hexadecimal digits: the prefix, which people see>_<43 characters: 256 random bits>
_TOKEN = re.compile(r"(rcv_[0-9a-f]{8})_[A-Za-z0-9_-]{43}")
# How exactly the last use is known: a write for each request would hold up replies on SQLite.
_LAST_USE_EVERY = timedelta(minutes=1)


class KeyRefused(Exception):
    """What was presented is no key that may be used now; the message says why, never what was presented."""


class NoSuchKey(Exception):
    """No key has this id or prefix."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. Times are aware; ``prefix`` is how people tell keys apart."""

    id: UUID
    name: str
    prefix: str
    scopes: frozenset[Scope]
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str | None = None
    last_used_at: datetime | None = None

    def state(self, now: datetime) -> str:
        """``active``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"

    @property
    def actor(self) -> str:
        """Who acts with it, as ledger and audit name them."""
        return f"{self.name} ({self.prefix})"


@dataclass(frozen=True, slots=True)
class Created:
    """A new key and its token, which is nowhere kept and can't be shown again."""

    key: Key
    token: str = field(repr=False)


class Keys:
    """The keys of one database."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store, self._clock = store, clock

    def create(
        self,
        name: str,
        scopes: Iterable[Scope],
        *,
        actor: str,
        expires_at: datetime | None = None,
        act: Act | None = None,
    ) -> Created:
        """A new key. Raises ValueError for what it can't be made of, StoreError."""
        name, chosen, now = name.strip(), frozenset(scopes), self._clock()
        if not name or not name.isprintable() or len(name) > LONGEST_NAME:
            raise ValueError(f"the name must be one line of 1 to {LONGEST_NAME} characters")
        if not chosen:
            raise ValueError(f"give at least one scope: {', '.join(Scope)}")
        if expires_at is not None and expires_at <= now:
            raise ValueError("the key would have expired already: choose a later time")
        prefix = f"rcv_{secrets.token_hex(4)}"
        token = f"{prefix}_{secrets.token_urlsafe(32)}"
        key = Key(new_id(), name, prefix, chosen, now, actor, expires_at)
        with self._store.writing() as transaction:
            api_keys.add(transaction, _row(key, token))
            if act is not None:
                act.note(transaction)
        return Created(key, token)

    def authenticate(self, token: str) -> Key:
        """The key whose token this is. Raises KeyRefused, StoreError.

        An unknown, an expired and a revoked key are told apart only to whoever holds the whole token.
        """
        shaped = _TOKEN.fullmatch(token)
        row: Mapping[Any, Any] | None = None
        if shaped:
            with self._store.reading() as transaction:
                row = api_keys.by_prefix(transaction, shaped[1])
        # Compared where there is no such key too, so that the time taken tells nothing.
        right = hmac.compare_digest(_hash(token), row["hash"] if row else "0" * 64)
        if row is None or not right:
            raise KeyRefused("there is no such key")
        key, now = _key(row), self._clock()
        if (state := key.state(now)) != "active":
            raise KeyRefused(f"the key {key.prefix} is {state}: ask for another")
        if key.last_used_at is None or now - key.last_used_at >= _LAST_USE_EVERY:
            self._note_use(key, now)
        return key

    def opens(self, key: Key, token: str) -> bool:
        """Whether this is the key's token. It counts as no use of it. Raises StoreError."""
        with self._store.reading() as transaction:
            row = api_keys.get(transaction, key.id)
        return row is not None and hmac.compare_digest(_hash(token), row["hash"])

    def revoke(self, wanted: UUID | str, *, actor: str, act: Act | None = None) -> Key:
        """End a key, named by its id or prefix, for good; the same again changes nothing.

        Raises NoSuchKey, StoreError.
        """
        with self._store.writing() as transaction:
            row = api_keys.get(transaction, wanted)
            if row is None:
                raise NoSuchKey('no key has this id or prefix: see "receiver keys list"')
            if row["revoked_at"] is None:
                api_keys.revoke(transaction, row["id"], at=self._clock(), by=actor)
                if act is not None:
                    act.note(transaction)
                row = api_keys.get(transaction, row["id"])
                assert row is not None
        return _key(row)

    def get(self, wanted: UUID | str) -> Key:
        """A key by its id or prefix. Raises NoSuchKey, StoreError."""
        with self._store.reading() as transaction:
            row = api_keys.get(transaction, wanted)
        if row is None:
            raise NoSuchKey('no key has this id or prefix: see "receiver keys list"')
        return _key(row)

    def page(self, *, older_than: UUID | None = None, newer_than: UUID | None = None, limit: int) -> Sequence[Key]:
        """At most ``limit`` keys, newest first. Raises StoreError."""
        with self._store.reading() as transaction:
            return [
                _key(row)
                for row in api_keys.page(transaction, older_than=older_than, newer_than=newer_than, limit=limit)
            ]

    def _note_use(self, key: Key, now: datetime) -> None:
        try:
            with self._store.writing() as transaction:
                api_keys.note_use(transaction, key.id, at=now)
        except StoreError as failure:
            # What the key is used for may need no writing: it is not refused for this.
            _log.warning("the last use of key %s could not be noted: %s", key.prefix, failure)


def _hash(token: str) -> str:
    # No slow hash: there is nothing to guess in 256 random bits.
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _row(key: Key, token: str) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "hash": _hash(token),
        "scopes": " ".join(sorted(key.scopes)),
        "created_at": key.created_at,
        "created_by": key.created_by,
        "expires_at": key.expires_at,
    }


def _key(row: Mapping[Any, Any]) -> Key:
    return Key(
        row["id"],
        row["name"],
        row["prefix"],
        frozenset(map(Scope, row["scopes"].split())),
        row["created_at"],
        row["created_by"],
        row["expires_at"],
        row["revoked_at"],
        row["revoked_by"],
        row["last_used_at"],
    )

"""Who may use the product, who does, and what they did."""

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text, Uuid

from .columns import UtcDateTime, metadata

# Who may use the API. A token is kept as its SHA-256 alone; the prefix is how people tell keys apart.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("prefix", String(16), nullable=False, unique=True),
    Column("hash", String(64), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("revoked_by", Text),
    Column("last_used_at", UtcDateTime),
)

# Who may use the console. ``folded`` is the name as it is compared; without a password nobody logs in.
people = Table(
    "people",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("folded", String(100), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("password_hash", Text),
    Column("totp_secret", String(64)),
    # The half minute of the last code that was used: none opens twice.
    Column("totp_step", BigInteger),
    Column("locale", String(16)),
    Column("zone", String(64), nullable=False),
    Column("theme", String(8)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("last_login_at", UtcDateTime),
    Column("disabled_at", UtcDateTime),
)

# What opens once in place of a code of the second factor, by its hash.
recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("person_id", Uuid, ForeignKey("people.id"), primary_key=True),
    Column("code_hash", String(64), primary_key=True),
)

# Links that set an account's password once, by the hash of their secret.
invitations = Table(
    "invitations",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("person_id", Uuid, ForeignKey("people.id"), nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

# Who is logged in, by the hash of the cookie.
sessions = Table(
    "sessions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("person_id", Uuid, ForeignKey("people.id"), nullable=False, index=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
    Column("peer", String(45)),
    Column("agent", Text),
)

# How often logins failed, by account and by address.
login_failures = Table(
    "login_failures",
    metadata,
    Column("counter", String(100), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
)

# Who changed, exported or revealed what.
audit = Table(
    "audit",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("action", String(40), nullable=False),
    Column("actor", Text, nullable=False),
    Column("via", String(16), nullable=False),
    Column("target", Text),
    Column("detail", JSON, nullable=False),
    Column("key_id", Uuid),
    Column("peer", String(45)),
    Index("ix_audit_action_id", "action", "id"),
    Index("ix_audit_actor_id", "actor", "id"),
    Index("ix_audit_target_id", "target", "id"),
)

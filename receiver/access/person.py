"""Somebody with an account, as everything that acts for them knows them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from .roles import PERMISSIONS, Permission, Role


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account. ``zone`` and ``locale`` are how they see times and words."""

    id: UUID
    name: str
    role: Role
    created_at: datetime
    created_by: str
    disabled_at: datetime | None = None
    last_login_at: datetime | None = None
    has_password: bool = False
    has_totp: bool = False
    locale: str | None = None
    zone: str = "Asia/Shanghai"
    theme: str | None = None

    def may(self, permission: Permission) -> bool:
        return permission in PERMISSIONS[self.role]


def person_of(row: Any) -> Person:
    """Who a row of ``people`` is."""
    return Person(
        row["id"],
        row["name"],
        Role(row["role"]),
        row["created_at"],
        row["created_by"],
        row["disabled_at"],
        row["last_login_at"],
        row["password_hash"] is not None,
        row["totp_secret"] is not None,
        row["locale"],
        row["zone"],
        row["theme"],
    )

"""Passwords: kept as argon2id hashes alone, and refused where anybody would guess them."""

import threading
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 10, 200
# One takes 64 MB and four threads while it is worked out: a crowd that logs in at once waits, and takes no more.
_one_of_few = threading.BoundedSemaphore(2)
# What people write where a longer password is asked for.
_COMMON = frozenset(
    [
        "1234567890",
        "0123456789",
        "password12",
        "password123",
        "qwertyuiop",
        "1q2w3e4r5t",
        "administrator",
        "receiver123",
    ]
)


class WeakPassword(ValueError):
    """A password that is not taken; ``reason`` is a code, for which every language has its words."""

    def __init__(self, reason: str) -> None:
        super().__init__(_WORDS[reason])
        self.reason = reason


_WORDS = {
    "short": f"the password must have at least {SHORTEST} characters",
    "long": f"the password must have at most {LONGEST} characters",
    "common": "this password is too easy to guess: choose another",
    "name": "the password must not be the name",
}


def check(password: str, name: str) -> None:
    """Raise WeakPassword for a password that can't be taken for the person ``name``."""
    if len(password) < SHORTEST:
        raise WeakPassword("short")
    if len(password) > LONGEST:
        raise WeakPassword("long")
    if password.casefold() in _COMMON or len(set(password)) < 4:
        raise WeakPassword("common")
    if name.casefold() in password.casefold() and len(password) < len(name) + 4:
        raise WeakPassword("name")


def hashed(password: str) -> str:
    """What is kept of it."""
    with _one_of_few:
        return _hasher().hash(password)


def matches(kept: str | None, password: str) -> bool:
    """Whether it is the one; takes as long where there is none to compare with."""
    try:
        with _one_of_few:
            _hasher().verify(kept or _nobodys(), password)
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


def is_outdated(kept: str) -> bool:
    """Whether it was hashed with less work than is usual now."""
    return _hasher().check_needs_rehash(kept)


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    return PasswordHasher()  # the library's choice: RFC 9106, low memory


@lru_cache(maxsize=1)
def _nobodys() -> str:
    return _hasher().hash("nobody has this password")

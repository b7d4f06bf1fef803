"""The second factor: codes that an app shows (RFC 6238), and ten others to recover with, each of which opens once."""

import secrets
import unicodedata
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, TypeAlias

import pyotp

from receiver.store import people as rows
from receiver.store.store import Store

from .audit import Act
from .clock import Clock
from .errors import AccessError
from .person import Person, person_of
from .present import PresentPassword
from .throttle import Throttle, of_owner

RECOVERY_CODES = 10
# 80 random bits, in digits: they can be written on any keyboard, and read from paper.
_DIGITS, _GROUP = 24, 4

Recovered: TypeAlias = Callable[[Person, int], Act]
"""The act of using a recovery code up, by who used it and how many are left."""


class SecondFactor:
    """The second factors of one database."""

    def __init__(self, store: Store, throttle: Throttle, present: PresentPassword, clock: Clock) -> None:
        self._store, self._throttle, self._present, self._clock = store, throttle, present, clock

    def enable(self, person: Person, secret: str, code: str, *, act: Act | None = None) -> Sequence[str]:
        """Ask for a code at each login from now on; ``code`` shows that the secret has arrived.

        The codes to recover with, which are nowhere kept. Raises AccessError, also where there is a second factor
        already: that is turned off with the password before. Raises StoreError.
        """
        step = _step_of(secret, code, self._clock())
        if step is None:
            raise AccessError("wrong-code", "the code is wrong: check the clock of the device")
        with self._store.writing() as transaction:
            row = rows.get(transaction, person.id)
            if row is None or row["totp_secret"]:
                raise AccessError("has-second-factor", "there is a second factor already: turn it off before")
            rows.change(transaction, person.id, totp_secret=secret, totp_step=step)
            return _made_anew(transaction, person, act)

    def disable(self, person: Person, password: str, *, act: Act | None = None) -> None:
        """Ask for no code any more. Raises AccessError where the password is wrong, LoginRefused, StoreError."""
        present = self._present.check(person, password)
        with self._store.writing() as transaction:
            self._present.still(transaction, person, present)
            drop(transaction, person)
            if act is not None:
                act.note(transaction)

    def reset(self, person: Person, *, act: Act | None = None) -> None:
        """Ask somebody for no code any more who has lost them all. Raises AccessError where none is asked for."""
        with self._store.writing() as transaction:
            row = rows.get(transaction, person.id)
            if row is None or not row["totp_secret"]:
                raise AccessError("no-second-factor", f"{person.name} has no second factor")
            drop(transaction, person)
            if act is not None:
                act.note(transaction)

    def renew(self, person: Person, code: str, *, act: Act | None = None) -> Sequence[str]:
        """Other codes to recover with; the ones before open nothing any more. ``code`` is one that the app shows.

        Raises AccessError, LoginRefused, StoreError.
        """
        self._throttle.count(of_owner(person))
        with self._store.writing() as transaction:
            row = rows.get(transaction, person.id)
            if row is None or not row["totp_secret"]:
                raise AccessError("no-second-factor", f"{person.name} has no second factor")
            step = _step_of(row["totp_secret"], code, self._clock())
            if step is None or not rows.use_step(transaction, person.id, step):
                raise AccessError("wrong-code", "the code is wrong, or was used already")
            rows.forget_failures(transaction, of_owner(person))
            return _made_anew(transaction, person, act)

    def left(self, person: Person) -> int:
        """How many codes to recover with somebody still has. Raises StoreError."""
        with self._store.reading() as transaction:
            return rows.recovery_codes_left(transaction, person.id)

    def are_codes_of(self, person: Person, codes: Sequence[str]) -> bool:
        """Whether each of these would open once. Raises StoreError."""
        with self._store.reading() as transaction:
            known = rows.recovery_codes(transaction, person.id)
        return bool(codes) and {_hash(code) for code in codes} <= set(known)

    def use(self, row: Any, code: str, recovered: Recovered | None) -> bool:
        """Use up a code of the app, or one to recover with; false where none opens by it. Raises StoreError."""
        step = _step_of(row["totp_secret"], code, self._clock())
        with self._store.writing() as transaction:
            # Each code opens once: of two at the same moment the second finds it used.
            if step is not None:
                return rows.use_step(transaction, row["id"], step)
            if not rows.use_recovery_code(transaction, row["id"], _hash(code)):
                return False
            if recovered is not None:
                recovered(person_of(row), rows.recovery_codes_left(transaction, row["id"])).note(transaction)
            return True


def new_secret() -> str:
    """A secret for a second factor, in base 32."""
    return pyotp.random_base32()


def address(person: Person, secret: str) -> str:
    """The otpauth: address that an authenticator takes, for a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=person.name, issuer_name="SMS receiver")


def drop(transaction: rows.Transaction, person: Person) -> None:
    """Leave nothing of somebody's second factor."""
    rows.change(transaction, person.id, totp_secret=None, totp_step=None)
    rows.end_recovery_codes(transaction, person.id)


def _made_anew(transaction: rows.Transaction, person: Person, act: Act | None) -> Sequence[str]:
    codes = tuple(_new_code() for _ in range(RECOVERY_CODES))
    rows.end_recovery_codes(transaction, person.id)
    rows.add_recovery_codes(transaction, person.id, map(_hash, codes))
    if act is not None:
        act.note(transaction)
    return codes


def _new_code() -> str:
    digits = "".join(secrets.choice("0123456789") for _ in range(_DIGITS))
    return "-".join(digits[place : place + _GROUP] for place in range(0, _DIGITS, _GROUP))


def _hash(code: str) -> str:
    # No slow hash: there is nothing to guess in 80 random bits. However its groups are written.
    digits = "".join(filter(str.isdecimal, unicodedata.normalize("NFKC", code)))
    return sha256(digits.encode()).hexdigest()


def _step_of(secret: str, code: str, now: datetime) -> int | None:
    """The half minute whose code this is: this one, or the one before or after it for clocks that differ."""
    totp, digits = pyotp.TOTP(secret), "".join(code.split())
    this = totp.timecode(now)
    for step in (this, this - 1, this + 1):
        if secrets.compare_digest(totp.generate_otp(step).encode(), digits.encode("utf-8", "replace")):
            return step
    return None

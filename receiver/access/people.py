"""People who use the console: their accounts, passwords, second factors, and how often a login may fail."""

import secrets
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pyotp

from receiver.store import people as rows
from receiver.store.store import Store
from receiver.vocabulary import new_id
from receiver.vocabulary.register import SUBSCRIBER, SYSTEM

from . import passwords
from .audit import Act
from .roles import PERMISSIONS, Permission, Role

LONGEST_NAME = 60
# A link that lets its holder set a password, once.
INVITATION_LASTS = timedelta(hours=24)
# Failures of one account, or from one address, before each further one has to wait; doubled each time to the longest.
FREE_FAILURES = {"name": 5, "peer": 20}
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=10), timedelta(minutes=15)
_FORGOTTEN_AFTER = timedelta(hours=24)


class AccessError(Exception):
    """Something about accounts that can't be done; ``code`` is for the words of each language."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class LoginRefused(AccessError):
    """Wrong name, password or code, or too many of those: which of the first is not told."""

    def __init__(self, code: str, message: str, wait: timedelta | None = None) -> None:
        super().__init__(code, message)
        self.wait = wait


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


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link's secret, which is nowhere kept: whoever has it sets this account's password once."""

    token: str = field(repr=False)
    person: Person
    expires_at: datetime


class People:
    """The accounts of one database."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store, self._clock = store, clock

    def exist(self) -> bool:
        """Whether anybody can log in. Raises StoreError."""
        with self._store.reading() as transaction:
            return rows.any_with_password(transaction)

    def page(self, *, after: str | None = None, limit: int) -> Sequence[Person]:
        """People by name, behind the name ``after``. Raises StoreError."""
        behind = None if after is None else _folded(after)
        with self._store.reading() as transaction:
            return [person_of(row) for row in rows.page(transaction, after=behind, limit=limit)]

    def get(self, wanted: UUID | str) -> Person:
        """Somebody by id or name. Raises AccessError, StoreError."""
        with self._store.reading() as transaction:
            return self._found(transaction, wanted)

    def invite(self, name: str, role: Role, *, actor: str, act: Act | None = None) -> Invitation:
        """A new account, and the link that sets its password. Raises AccessError where the name is taken or none."""
        name = _usable_name(name)
        now = self._clock()
        person = Person(new_id(), name, role, now, actor)
        with self._store.writing() as transaction:
            if rows.by_name(transaction, _folded(name)) is not None:
                raise AccessError("name-taken", f"there is somebody called {name} already: choose another name")
            rows.add(transaction, _row(person))
            if act is not None:
                act.note(transaction)
            return self._invitation(transaction, person, now)

    def invite_again(self, wanted: UUID | str, *, act: Act | None = None) -> Invitation:
        """Another link for an account: a forgotten password, a lost second factor. Earlier links end.

        The password and sessions stay as they are until it is used. Raises AccessError, StoreError.
        """
        with self._store.writing() as transaction:
            person = self._found(transaction, wanted)
            if act is not None:
                act.note(transaction)
            return self._invitation(transaction, person, self._clock())

    def first_admin(self) -> Invitation | None:
        """The link that makes the first admin, while nobody can log in; else None. Raises StoreError."""
        with self._store.writing() as transaction:
            if rows.any_with_password(transaction):
                return None
            now = self._clock()
            row = rows.by_name(transaction, "admin")
            person = person_of(row) if row is not None else Person(new_id(), "admin", Role.ADMIN, now, "system")
            if row is None:
                rows.add(transaction, _row(person))
            return self._invitation(transaction, person, now)

    def invited(self, token: str) -> Person:
        """Whose link this is. Raises AccessError where it is used, expired or none."""
        with self._store.reading() as transaction:
            return self._invited(transaction, token)

    def accept(self, token: str, password: str) -> Person:
        """Set the password by a link, which is used up. Ends the account's sessions and second factor.

        Raises AccessError, WeakPassword, StoreError.
        """
        passwords.check(password, self.invited(token).name)
        hashed = passwords.hashed(password)
        with self._store.writing() as transaction:
            person = self._invited(transaction, token)
            # Of two with the same link the second waits here, and finds it gone.
            if not rows.end_invitations(transaction, person.id):
                raise _no_invitation()
            rows.end_sessions(transaction, person.id)
            rows.change(transaction, person.id, password_hash=hashed, totp_secret=None, totp_step=None)
            return person

    def log_in(self, name: str, password: str, code: str | None, peer: str) -> Person:
        """Who this is. Raises LoginRefused: ``code-needed`` where the password is right and a second factor is due.

        Counted per account and per address: after some failures each further try has to wait, and is not looked at.
        """
        # By its hash: people write their password where the name belongs.
        counters = {f"name:{_hash(_folded(name))}": FREE_FAILURES["name"], f"peer:{peer}": FREE_FAILURES["peer"]}
        now = self._clock()
        with self._store.writing() as transaction:
            _count(transaction, counters, now)
            row = rows.by_name(transaction, _folded(name))
        right = passwords.matches(row["password_hash"] if row else None, password)
        if row is None or not right or row["disabled_at"] is not None:
            raise LoginRefused("wrong", "the name or the password is wrong")
        if row["totp_secret"]:
            if not code:
                raise LoginRefused("code-needed", "the code of the second factor is needed")
            if not self._takes_code(row, code, now):
                raise LoginRefused("wrong-code", "the code is wrong, or was used already")
        with self._store.writing() as transaction:
            rows.forget_failures(transaction, counters)
            fresh = {"password_hash": passwords.hashed(password)} if passwords.is_outdated(row["password_hash"]) else {}
            rows.change(transaction, row["id"], last_login_at=now, **fresh)
        return person_of(row)

    def change_password(
        self, person: Person, old: str, new: str, *, keep_session: UUID, act: Act | None = None
    ) -> None:
        """Another password; every other session of the account ends. Raises AccessError, WeakPassword, StoreError."""
        present = self._present(person, old)
        passwords.check(new, person.name)
        hashed = passwords.hashed(new)
        with self._store.writing() as transaction:
            self._still(transaction, person, present)
            rows.change(transaction, person.id, password_hash=hashed)
            rows.end_sessions(transaction, person.id, but=keep_session)
            if act is not None:
                act.note(transaction)

    def change(self, person: Person, *, act: Act | None = None, **values: Any) -> None:
        """Change role, locale, zone, theme, or disabled_at. The last admin who can log in stays one.

        Raises AccessError, StoreError.
        """
        with self._store.writing() as transaction:
            rows.change(transaction, person.id, **values)
            takes_away = values.get("role", Role.ADMIN) != Role.ADMIN or values.get("disabled_at") is not None
            if takes_away and not rows.any_active(transaction, Role.ADMIN):
                raise AccessError("last-admin", "somebody must stay an admin: make another one first")
            if values.get("disabled_at") is not None:
                rows.end_sessions(transaction, person.id)
                rows.end_invitations(transaction, person.id)
            if act is not None:
                act.note(transaction)

    def enable_totp(self, person: Person, secret: str, code: str, *, act: Act | None = None) -> None:
        """Ask for a code at each login from now on; ``code`` shows that the secret has arrived.

        Raises AccessError, also where there is one already: that is turned off with the password before.
        """
        step = _step_of(secret, code, self._clock())
        if step is None:
            raise AccessError("wrong-code", "the code is wrong: check the clock of the device")
        with self._store.writing() as transaction:
            row = rows.get(transaction, person.id)
            if row is None or row["totp_secret"]:
                raise AccessError("has-second-factor", "there is a second factor already: turn it off before")
            rows.change(transaction, person.id, totp_secret=secret, totp_step=step)
            if act is not None:
                act.note(transaction)

    def disable_totp(self, person: Person, password: str, *, act: Act | None = None) -> None:
        """Ask for no code any more. Raises AccessError where the password is wrong."""
        present = self._present(person, password)
        with self._store.writing() as transaction:
            self._still(transaction, person, present)
            rows.change(transaction, person.id, totp_secret=None, totp_step=None)
            if act is not None:
                act.note(transaction)

    def _present(self, person: Person, password: str) -> str:
        """The hash of somebody's present password. Raises AccessError where it is another, LoginRefused after many.

        Who has come by a session must not find the password by it. Counted apart from logins: else they would shut its
        owner out. Never worked out within a transaction that writes: replies would wait for as long.
        """
        with self._store.writing() as transaction:
            _count(transaction, _own(person), self._clock())
            row = rows.get(transaction, person.id)
        if row is None or not passwords.matches(row["password_hash"], password):
            raise _wrong_old()
        present: str = row["password_hash"]
        return present

    def _still(self, transaction: rows.Transaction, person: Person, present: str) -> None:
        row = rows.get(transaction, person.id)
        if row is None or row["password_hash"] != present:
            raise _wrong_old()
        rows.forget_failures(transaction, _own(person))

    def _found(self, transaction: rows.Transaction, wanted: UUID | str) -> Person:
        row = rows.get(transaction, wanted) if isinstance(wanted, UUID) else rows.by_name(transaction, _folded(wanted))
        if row is None:
            raise AccessError("nobody", "nobody has this name")
        return person_of(row)

    def _invitation(self, transaction: rows.Transaction, person: Person, now: datetime) -> Invitation:
        token = secrets.token_urlsafe(24)
        expires_at = now + INVITATION_LASTS
        rows.end_invitations(transaction, person.id)
        rows.add_invitation(transaction, person.id, _hash(token), now, expires_at)
        return Invitation(token, person, expires_at)

    def _invited(self, transaction: rows.Transaction, token: str) -> Person:
        row = rows.invited(transaction, _hash(token), self._clock())
        if row is None or row["disabled_at"] is not None:
            raise _no_invitation()
        return person_of(row)

    def _takes_code(self, row: Any, code: str, now: datetime) -> bool:
        step = _step_of(row["totp_secret"], code, now)
        if step is None:
            return False
        with self._store.writing() as transaction:
            # Each code opens once: of two at the same moment the second finds it used.
            return rows.use_step(transaction, row["id"], step)


def new_totp_secret() -> str:
    """A secret for a second factor (RFC 6238), in base 32."""
    return pyotp.random_base32()


def totp_address(person: Person, secret: str) -> str:
    """The otpauth: address that an authenticator takes, for a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=person.name, issuer_name="SMS receiver")


def _step_of(secret: str, code: str, now: datetime) -> int | None:
    """The half minute whose code this is: this one, or the one before or after it for clocks that differ."""
    totp, digits = pyotp.TOTP(secret), "".join(code.split())
    this = totp.timecode(now)
    for step in (this, this - 1, this + 1):
        if secrets.compare_digest(totp.generate_otp(step).encode(), digits.encode()):
            return step
    return None


def _wrong_old() -> AccessError:
    return AccessError("wrong-old", "the present password is wrong")


def _no_invitation() -> AccessError:
    return AccessError("no-invitation", "this link was used, has expired, or never was one: ask for another")


def _own(person: Person) -> dict[str, int]:
    """What counts how often the present password was written wrong by who is logged in."""
    return {f"present:{person.id}": FREE_FAILURES["name"]}


def _count(transaction: rows.Transaction, counters: dict[str, int], now: datetime) -> None:
    """Count one more failure, or raise LoginRefused where it comes too early.

    Before it is looked at, so that many at once are no way around it; who is right begins anew.
    """
    failed = rows.failures(transaction, counters, now, forgotten=now - _FORGOTTEN_AFTER)
    if (wait := _longest_wait(failed, counters, now)) is not None:
        raise LoginRefused("throttled", "too many failures: wait before the next try", wait)
    rows.count_failure(transaction, counters, now)


def _longest_wait(found: Sequence[Any], free: dict[str, int], now: datetime) -> timedelta | None:
    waits = []
    for row in found:
        surplus = row["count"] - free[row["counter"]]
        if surplus >= 0:
            waits.append(row["last_at"] + min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(surplus, 10)) - now)
    longest = max(waits, default=timedelta())
    return longest if longest > timedelta() else None


def _usable_name(name: str) -> str:
    name = unicodedata.normalize("NFKC", name).strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise AccessError("bad-name", f"write a name of 1 to {LONGEST_NAME} characters on one line")
    if name.casefold() in (SUBSCRIBER, SYSTEM):  # in the ledger these act, and nobody by their name
        raise AccessError("name-taken", "this is the ledger's own word for who acts: choose another name")
    return name


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _hash(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _row(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "folded": _folded(person.name),
        "role": person.role,
        "created_at": person.created_at,
        "created_by": person.created_by,
        "zone": person.zone,
    }


def person_of(row: Any) -> Person:
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

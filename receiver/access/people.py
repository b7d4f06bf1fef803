"""People who use the console: their accounts, the links that begin them, passwords, and how they come in."""

import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from receiver.store import people as rows
from receiver.store.store import Store
from receiver.vocabulary import new_id
from receiver.vocabulary.register import SUBSCRIBER, SYSTEM

from . import passwords, second_factor
from .audit import Act
from .clock import Clock, now
from .errors import AccessError, LoginRefused
from .person import Person, person_of
from .present import PresentPassword
from .roles import Role
from .second_factor import Recovered, SecondFactor
from .throttle import Throttle, folded, of_login

LONGEST_NAME = 60
# A link that lets its holder set a password, once.
INVITATION_LASTS = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link's secret, which is nowhere kept: whoever has it sets this account's password once."""

    token: str = field(repr=False)
    person: Person
    expires_at: datetime


class People:
    """The accounts of one database."""

    def __init__(self, store: Store, clock: Clock = now) -> None:
        self._store, self._clock = store, clock
        self._throttle = Throttle(store, clock)
        self._present = PresentPassword(store, self._throttle)
        self.second_factor = SecondFactor(store, self._throttle, self._present, clock)

    def exist(self) -> bool:
        """Whether anybody can log in. Raises StoreError."""
        with self._store.reading() as transaction:
            return rows.any_with_password(transaction)

    def page(self, *, after: str | None = None, limit: int) -> Sequence[Person]:
        """People by name, behind the name ``after``. Raises StoreError."""
        behind = None if after is None else folded(after)
        with self._store.reading() as transaction:
            return [person_of(row) for row in rows.page(transaction, after=behind, limit=limit)]

    def get(self, wanted: UUID | str) -> Person:
        """Somebody by id or name. Raises AccessError, StoreError."""
        with self._store.reading() as transaction:
            return self._found(transaction, wanted)

    def invite(self, name: str, role: Role, *, actor: str, act: Act | None = None) -> Invitation:
        """A new account, and the link that sets its password. Raises AccessError where the name is taken or none."""
        name = _usable_name(name)
        moment = self._clock()
        person = Person(new_id(), name, role, moment, actor)
        with self._store.writing() as transaction:
            if rows.by_name(transaction, folded(name)) is not None:
                raise AccessError("name-taken", f"there is somebody called {name} already: choose another name")
            rows.add(transaction, _row(person))
            if act is not None:
                act.note(transaction)
            return self._invitation(transaction, person, moment)

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
            moment = self._clock()
            row = rows.by_name(transaction, "admin")
            person = person_of(row) if row is not None else Person(new_id(), "admin", Role.ADMIN, moment, "system")
            if row is None:
                rows.add(transaction, _row(person))
            return self._invitation(transaction, person, moment)

    def invited(self, token: str) -> Invitation:
        """The link with this secret. Raises AccessError where it is used, expired or none; StoreError."""
        with self._store.reading() as transaction:
            return self._invited(transaction, token)

    def accept(self, token: str, password: str) -> Person:
        """Set the password by a link, which is used up. Ends the account's sessions and second factor.

        Raises AccessError, WeakPassword, StoreError.
        """
        passwords.check(password, self.invited(token).person.name)
        hashed = passwords.hashed(password)
        with self._store.writing() as transaction:
            person = self._invited(transaction, token).person
            # Of two with the same link the second waits here, and finds it gone.
            if not rows.end_invitations(transaction, person.id):
                raise _no_invitation()
            rows.end_sessions(transaction, person.id)
            rows.change(transaction, person.id, password_hash=hashed)
            second_factor.drop(transaction, person)
            return person

    def log_in(
        self, name: str, password: str, code: str | None, peer: str, *, recovered: Recovered | None = None
    ) -> Person:
        """Who this is. Raises LoginRefused: ``code-needed`` where the password is right and a second factor is due.

        Counted per account and per address: after some failures each further try has to wait, and is not looked at.
        ``recovered`` makes the act that is noted where a recovery code was used up. Raises StoreError.
        """
        counted = of_login(name, peer)
        self._throttle.count(counted)
        with self._store.reading() as transaction:
            row = rows.by_name(transaction, folded(name))
        right = passwords.matches(row["password_hash"] if row else None, password)
        if row is None or not right or row["disabled_at"] is not None:
            raise LoginRefused("wrong", "the name or the password is wrong")
        if row["totp_secret"]:
            if not code:
                raise LoginRefused("code-needed", "the code of the second factor is needed")
            if not self.second_factor.use(row, code, recovered):
                raise LoginRefused("wrong-code", "the code is wrong, or was used already")
        with self._store.writing() as transaction:
            rows.forget_failures(transaction, counted)
            fresh = {"password_hash": passwords.hashed(password)} if passwords.is_outdated(row["password_hash"]) else {}
            rows.change(transaction, row["id"], last_login_at=self._clock(), **fresh)
        return person_of(row)

    def change_password(
        self, person: Person, old: str, new: str, *, keep_session: UUID, act: Act | None = None
    ) -> None:
        """Another password; every other session of the account ends.

        Raises AccessError, LoginRefused, WeakPassword, StoreError.
        """
        present = self._present.check(person, old)
        passwords.check(new, person.name)
        hashed = passwords.hashed(new)
        with self._store.writing() as transaction:
            self._present.still(transaction, person, present)
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

    def _found(self, transaction: rows.Transaction, wanted: UUID | str) -> Person:
        row = rows.get(transaction, wanted) if isinstance(wanted, UUID) else rows.by_name(transaction, folded(wanted))
        if row is None:
            raise AccessError("nobody", "nobody has this name")
        return person_of(row)

    def _invitation(self, transaction: rows.Transaction, person: Person, moment: datetime) -> Invitation:
        token = secrets.token_urlsafe(24)
        expires_at = moment + INVITATION_LASTS
        rows.end_invitations(transaction, person.id)
        rows.add_invitation(transaction, person.id, _hash(token), moment, expires_at)
        return Invitation(token, person, expires_at)

    def _invited(self, transaction: rows.Transaction, token: str) -> Invitation:
        row = rows.invited(transaction, _hash(token), self._clock())
        if row is None or row["disabled_at"] is not None:
            raise _no_invitation()
        return Invitation(token, person_of(row), row["link_ends_at"])


def _no_invitation() -> AccessError:
    return AccessError("no-invitation", "this link was used, has expired, or never was one: ask for another")


def _usable_name(name: str) -> str:
    name = unicodedata.normalize("NFKC", name).strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise AccessError("bad-name", f"write a name of 1 to {LONGEST_NAME} characters on one line")
    if name.casefold() in (SUBSCRIBER, SYSTEM):  # in the ledger these act, and nobody by their name
        raise AccessError("name-taken", "this is the ledger's own word for who acts: choose another name")
    return name


def _hash(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _row(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "folded": folded(person.name),
        "role": person.role,
        "created_at": person.created_at,
        "created_by": person.created_by,
        "zone": person.zone,
    }

"""The present password, which whoever changes an account's secrets writes once more: as throttled as a login."""

from receiver.store import people as rows
from receiver.store.store import Store

from . import passwords
from .errors import AccessError
from .person import Person
from .throttle import Throttle, of_owner


class PresentPassword:
    """Asks for it in two steps, so that no transaction is held for as long as a hash takes to work out."""

    def __init__(self, store: Store, throttle: Throttle) -> None:
        self._store, self._throttle = store, throttle

    def check(self, person: Person, password: str) -> str:
        """The hash of somebody's present password. Raises AccessError where it is another, LoginRefused, StoreError.

        Never within a transaction that writes: replies would wait meanwhile.
        """
        self._throttle.count(of_owner(person))
        with self._store.reading() as transaction:
            row = rows.get(transaction, person.id)
        if row is None or not passwords.matches(row["password_hash"], password):
            raise _wrong()
        self._throttle.forget(of_owner(person))
        present: str = row["password_hash"]
        return present

    @staticmethod
    def still(transaction: rows.Transaction, person: Person, present: str) -> None:
        """Raise AccessError where it was changed since ``check`` returned ``present``."""
        row = rows.get(transaction, person.id)
        if row is None or row["password_hash"] != present:
            raise _wrong()


def _wrong() -> AccessError:
    return AccessError("wrong-old", "the present password is wrong")

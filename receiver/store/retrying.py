"""A transaction that is tried again where it met other writers: deadlock and serialization failure wrote nothing."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from .errors import Conflict
from .store import Store

_ATTEMPTS = 5

T = TypeVar("T")


def written(store: Store, work: Callable[[Connection], T]) -> T:
    """What ``work`` answers, once its transaction is durable. Raises StoreError."""
    for _ in range(_ATTEMPTS - 1):
        try:
            with store.writing() as connection:
                return work(connection)
        except Conflict:
            continue
    with store.writing() as connection:
        return work(connection)

"""Whether the database can be read, for roles that tell nothing else of it."""

from collections.abc import Iterator

from prometheus_client.core import Metric

from receiver.store import ledger
from receiver.store.store import Store
from receiver.tally import Role

from .family import Family
from .within import PATIENCE, Within

UP = Family("receiver_database_up", "1 where the database could be read in time", tuple(Role))


class Reachable:
    """One database, asked by reading a row."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asking = Within(self._ask, PATIENCE)

    def __call__(self) -> Iterator[Metric]:
        yield UP.is_(self._asking.answer() is not None)

    def _ask(self) -> int:
        with self._store.reading() as connection:
            return ledger.head(connection)[0]

"""From the spool into the database, the way of every reply: what is stored is removed, what can't be stays."""

import logging
from collections import Counter
from enum import StrEnum
from uuid import UUID

from receiver.intake import Intake, Outcome
from receiver.store import quarantine
from receiver.store.store import Store
from receiver.vocabulary import Kind, Quarantined, Reading, Reason, Reply

from .answer import Answer, Corrupt, OtherVersion
from .errors import CannotStore
from .says import item
from .spool import Spool

_log = logging.getLogger(__name__)


class Became(StrEnum):
    """What became of an answer."""

    REPLY = "reply"
    UNSUBSCRIBE = "unsubscribe"
    QUARANTINED = "quarantined"
    REPEATED = "repeated"
    """A page that is no reply, and the same as the last that was: it is in quarantine already."""
    NOTHING = "nothing"
    CORRUPT = "corrupt"
    """Set aside: the file was not what had been written."""
    LEFT = "left"
    """In the spool still: it could not be stored, or not be read, now."""


class Drain:
    """Empties the spool into ``intake``. Any number may at once: an answer has its id, and is stored once."""

    def __init__(self, spool: Spool, intake: Intake, store: Store, reading: Reading) -> None:
        self._spool = spool
        self._intake = intake
        self._store = store
        self._reading = reading
        self._said: set[UUID] = set()

    def run(self) -> Counter[Became]:
        """Store all that waits. Raises CannotStore where the database stores nothing now, StoreError, OSError."""
        became: Counter[Became] = Counter()
        self._spool.adopt()
        for answer_id in self._spool.waiting():
            try:
                answer = self._spool.read(answer_id)
            except Corrupt as why:
                self._spool.set_aside(answer_id, why)
                became[Became.CORRUPT] += 1
                continue
            except (OtherVersion, OSError) as why:
                self._say_left(answer_id, why)
                became[Became.LEFT] += 1
                continue
            if answer is None:
                continue
            what = self.take(answer)
            became[what] += 1
            if what is not Became.LEFT:
                self._spool.remove(answer_id)
            elif not self._intake.is_ready():
                raise CannotStore("the database can't store a reply now: what was pulled waits in the spool")
        return became

    def take(self, answer: Answer) -> Became:
        """Store one answer; LEFT where that failed. Raises StoreError."""
        said = item(answer, self._reading)
        if said is None:
            return Became.NOTHING
        if isinstance(said, Quarantined) and self._is_repeated(said):
            return Became.REPEATED
        outcome = self._intake.store(said)
        if outcome not in (Outcome.STORED, Outcome.QUARANTINED):
            return Became.LEFT
        became = Became.QUARANTINED if outcome is Outcome.QUARANTINED else _kind(said)
        _log.info("pulled %s: %s", answer.id, became)
        return became

    def _say_left(self, answer_id: UUID, why: Exception) -> None:
        # Once: it is tried again every few seconds.
        if answer_id not in self._said:
            self._said.add(answer_id)
            _log.warning("spooled reply %s can't be read now, and is left: %s: %s", answer_id, type(why).__name__, why)

    def _is_repeated(self, said: Quarantined) -> bool:
        """Whether it is the same error page again. Whoever says stop is heard each time."""
        why = said.undeliverable
        if why.reason is not Reason.UNREADABLE or why.unsubscribes is not None or _has_a_reply(why.raw):
            return False
        with self._store.reading() as connection:
            last = quarantine.page(connection, quarantine.Filter(Reason.UNREADABLE), limit=1, with_raw=True)
        return bool(last) and last[0]["raw"] == why.raw


def _has_a_reply(body: bytes) -> bool:
    """Whether an answer that can't be read has something of a phone or a text: two that are alike may be two."""
    names = {part.partition(b"=")[0].strip().lower() for part in body.split(b"&")}
    return not names.isdisjoint({b"src", b"msg"})


def _kind(said: Reply | Quarantined) -> Became:
    if isinstance(said, Quarantined):
        return Became.QUARANTINED
    return Became.UNSUBSCRIBE if said.delivery.kind is Kind.UNSUBSCRIBE else Became.REPLY

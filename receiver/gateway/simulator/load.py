"""Drives many replies at once, whatever becomes of the server, and holds the database against what was acknowledged."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from receiver.store.audit import replies_to
from receiver.store.optouts import suppressed
from receiver.store.store import Store

from .connection import Answer
from .drive import Drive
from .push import Tally
from .script import Script
from .target import Target
from .wire import Encoding, parameters, request

# Stands in Audit.altered for a row that none of our replies became.
NONE_OF_OURS = -1
# What became of each number, a byte each.
_UNSENT, _UNANSWERED, _REFUSED, _ACKNOWLEDGED = range(4)
# Phones asked for at a time.
_PHONES = 2_000


@dataclass(frozen=True)
class Account:
    """What was pushed, and how it was answered."""

    sent: int
    acknowledged: int
    refused: Counter[str]
    unanswered: int
    unreachable: int
    """Attempts that found no server; each was repeated, so that no reply is missing for it."""
    unsubscribes_acknowledged: int


@dataclass
class Audit:
    """What the database holds of a run: numbers of replies that are wrong, and counts of those that are right."""

    stored: int = 0
    unpromised: int = 0
    """Stored though never acknowledged: killed between commit and answer. Rightly so."""
    in_force: int = 0
    lost: list[int] = field(default_factory=list)
    doubled: list[int] = field(default_factory=list)
    altered: list[int] = field(default_factory=list)
    """Acknowledged or not, stored with another text, phone or kind; NONE_OF_OURS for a row that can't be told."""
    not_in_force: list[int] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not (self.lost or self.doubled or self.altered or self.not_in_force)


class Load:
    """One run of load against ``target``, for ``count`` replies or until ``stop``.

    It goes on while the server is killed and started again: what was sent and not answered counts as unanswered and
    is never sent again. ``patience`` (seconds) bounds how long it waits for a server that is gone; None: for ever.
    A run can be started once.
    """

    def __init__(
        self,
        target: Target,
        *,
        connections: int = 16,
        count: int | None = None,
        rate: float | None = None,
        unsubscribes: float = 0.02,
        encodings: Sequence[Encoding] = tuple(Encoding),
        timeout: float = 10.0,
        patience: float | None = 30.0,
    ) -> None:
        self.script = Script(unsubscribes, encodings)
        self.tally = Tally()
        self._target = target
        self._states = bytearray()
        self._refused: Counter[str] = Counter()
        self._unreachable = 0
        self._drive = Drive(
            target,
            self._request,
            self._took,
            connections=connections,
            count=count,
            rate=rate,
            timeout=timeout,
            patience=patience,
            persistent=True,
        )

    def start(self) -> None:
        self._drive.start()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until all is pushed, at most ``seconds``; whether the run is over."""
        return self._drive.wait(seconds)

    def stop(self) -> None:
        """Push nothing new, and wait for the answers to what was pushed."""
        self._drive.stop()

    @property
    def account(self) -> Account:
        """The account so far."""
        states = Counter(self._states)
        return Account(
            sent=len(self._states) - states[_UNSENT],
            acknowledged=states[_ACKNOWLEDGED],
            refused=self._refused.copy(),
            unanswered=states[_UNANSWERED],
            unreachable=self._unreachable,
            unsubscribes_acknowledged=sum(1 for _ in self._acknowledged_stops()),
        )

    def audit(self, store: Store, within: float = 0.0) -> Audit:
        """Hold the database against what was acknowledged. Raises StoreError.

        What is missing may appear within ``within`` seconds: the database is read again until then.
        """
        deadline = time.monotonic() + within
        while True:
            found = self._audit(store)
            if not (found.lost or found.not_in_force) or time.monotonic() >= deadline:
                return found
            time.sleep(min(0.5, within))

    def _request(self, number: int) -> bytes:
        line = self.script.line(number)
        said = parameters(line.src, self.script.dst, line.msg)
        return request(self._target.host, self._target.path, said, post=line.post)

    def _took(self, number: int, answer: Answer) -> None:
        if answer.unreachable:
            self._unreachable += 1
            return
        self.tally.add(answer)
        if len(self._states) <= number:
            self._states.extend(bytes(number + 1 - len(self._states)))
        if answer.acknowledged:
            self._states[number] = _ACKNOWLEDGED
        elif answer.answered:
            self._states[number] = _REFUSED
            self._refused[answer.said] += 1
        else:
            self._states[number] = _UNANSWERED

    def _audit(self, store: Store) -> Audit:
        found = Audit()
        times_stored = bytearray(len(self._states))
        with store.reading() as connection:
            for row in replies_to(connection, self.script.dst):
                self._compare(row.src, row.text, row.kind, times_stored, found)
            stops = self._acknowledged_stops()
            while numbers := list(islice(stops, _PHONES)):
                blocked = suppressed(connection, map(self.script.phone, numbers))
                missing = [number for number in numbers if self.script.phone(number) not in blocked]
                found.not_in_force += missing
                found.in_force += len(numbers) - len(missing)
        for number, times in enumerate(times_stored):
            acknowledged = self._states[number] == _ACKNOWLEDGED
            found.stored += times > 0
            found.unpromised += times > 0 and not acknowledged
            if times > 1:
                found.doubled.append(number)
            elif times == 0 and acknowledged:
                found.lost.append(number)
        return found

    def _compare(self, phone: str, text: str, kind: str, times_stored: bytearray, found: Audit) -> None:
        number = self.script.number(phone, text, kind)
        if number is None or number >= len(times_stored) or self._states[number] == _UNSENT:
            found.altered.append(NONE_OF_OURS)
            return
        times_stored[number] = min(2, times_stored[number] + 1)
        line = self.script.line(number)
        if (phone, text, kind) != (line.phone, line.text, line.kind):
            found.altered.append(number)

    def _acknowledged_stops(self) -> Iterator[int]:
        return (
            number
            for number, state in enumerate(self._states)
            if state == _ACKNOWLEDGED and self.script.is_unsubscribe(number)
        )

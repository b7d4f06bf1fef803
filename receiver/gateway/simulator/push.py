"""Plays the gateway: pushes one reply any number of times, and counts the answers."""

import math
import random
from array import array
from collections import Counter
from dataclasses import dataclass

from .connection import ACKNOWLEDGED, Answer
from .drive import Drive
from .script import simulated_phone
from .target import Target
from .wire import Encoding, parameters, request, written

# protocol.md §1.
MEANINGS = {
    ACKNOWLEDGED: "durably stored; an unsubscribe is in force too",
    "-1": "a parameter is missing or unusable; kept in quarantine",
    "-2": "refused: the source address or the token is not allowed",
    "-3": "too large",
    "-4": "could not be stored; nothing was promised",
}


@dataclass(frozen=True, slots=True)
class Letter:
    """The reply that is pushed; ``src`` None stands for another simulated phone each time."""

    src: str | None
    dst: str
    msg: str
    encoding: Encoding = Encoding.UTF_8
    post: bool = False


class Tally:
    """Answers, counted, and how long they took."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()
        self.answered = 0
        self.acknowledged = 0
        self._seconds = array("f")

    def add(self, answer: Answer) -> None:
        self.answers[answer.said] += 1
        if answer.answered:
            self.answered += 1
            self.acknowledged += answer.acknowledged
            self._seconds.append(answer.seconds)

    @property
    def pushed(self) -> int:
        return self.answers.total()

    def percentile(self, share: float) -> float | None:
        """Seconds within which ``share`` of the answers came; None without any."""
        if not self._seconds:
            return None
        return sorted(self._seconds)[min(len(self._seconds) - 1, math.ceil(share * len(self._seconds)) - 1)]


class Push:
    """Pushes ``letter`` ``count`` times. Raises Unencodable at once where its charset lacks a character."""

    def __init__(
        self,
        target: Target,
        letter: Letter,
        *,
        count: int = 1,
        rate: float | None = None,
        connections: int = 1,
        timeout: float = 10.0,
    ) -> None:
        self.tally = Tally()
        self._target = target
        self._letter = letter
        self._msg = written(letter.msg, letter.encoding)
        self._drive = Drive(
            target,
            self._request,
            lambda _number, answer: self.tally.add(answer),
            connections=min(connections, count),
            count=count,
            rate=rate,
            timeout=timeout,
        )

    def start(self) -> None:
        self._drive.start()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until all are answered, at most ``seconds``; whether they are."""
        return self._drive.wait(seconds)

    def stop(self) -> None:
        self._drive.stop()

    def _request(self, _number: int) -> bytes:
        src = simulated_phone(random.randrange(10**8)) if self._letter.src is None else self._letter.src
        said = parameters(src, self._letter.dst, self._msg)
        return request(self._target.host, self._target.path, said, post=self._letter.post)

"""The people with the phones: they answer what they are sent, or write of their own accord."""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue

from ..connection import Connection
from ..script import simulated_phone
from ..target import Target
from ..wire import Encoding, parameters, request, written
from .state import State
from .values import Inbound, Sent

STOP = "0000"
_PHONES = 10**8
_PUSH_SECONDS = 5.0
# How long a push waits for the next reply to come up, so that it is never far behind.
_TICK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Habits:
    """How subscribers behave: ``replies`` is the share of texts that they answer, ``stops`` that of 0000 in it."""

    replies: float = 0.0
    texts: Sequence[str] = ("收到，谢谢", "好的", "明天下午三点可以吗？", "要！100% 要", "OK, see you")
    stops: float = 0.02
    after: float = 5.0
    """Seconds until an answer comes, at most."""
    unasked: float = 0.0
    """Replies per second from people who were sent nothing."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where replies go: pushed to ``target`` as ``encoding`` writes them, else to the inbox; to both: ``twice``."""

    target: Target | None = None
    encoding: Encoding = Encoding.GB18030
    twice: bool = False


class Subscribers:
    """Replies come up as time goes by: whoever calls ``tick`` moves it on.

    ``write`` writes a text in the gateway's charset. Raises Unencodable where a text can't be pushed.
    """

    def __init__(
        self, state: State, habits: Habits, route: Route, write: Callable[[str], bytes], dice: random.Random
    ) -> None:
        self.pushed: Counter[str] = Counter()
        self._state = state
        self._habits = habits
        self._route = route
        self._write = write
        self._dice = dice
        self._coming: list[tuple[datetime, int, str, str, str, str]] = []
        self._known = 0
        self._to_push: SimpleQueue[tuple[Inbound, str] | None] = SimpleQueue()
        self._next_unasked: datetime | None = None
        for text in habits.texts:
            written(text, route.encoding)

    def saw(self, texts: Iterable[Sent]) -> None:
        """These were sent; some will be answered once they are seen. Called with the state's lock held."""
        for sent in texts:
            if self._dice.random() < self._habits.replies:
                at = sent.at + timedelta(seconds=self._dice.uniform(0, self._habits.after))
                self._expect(at, sent.phone, sent.sender, sent.account)

    def tick(self, now: datetime) -> None:
        """Let everything come up that is due."""
        with self._state.lock:
            self._unasked(now)
            while self._coming and self._coming[0][0] <= now:
                at, _, src, dst, text, account = heapq.heappop(self._coming)
                reply = self._state.hear(at, src, dst, self._write(text), account)
                if self._route.target is not None:
                    self._to_push.put((reply, text))
                if self._route.target is None or self._route.twice:
                    self._state.put_in_inbox(reply)

    def run(self, clock: Callable[[], datetime], stopped: Callable[[], bool]) -> None:
        """Tick and push until ``stopped``: the body of a thread."""
        connection = None if self._route.target is None else Connection(self._route.target, _PUSH_SECONDS)
        try:
            while not stopped():
                self.tick(clock())
                try:
                    due = self._to_push.get(timeout=_TICK_SECONDS)
                except Empty:
                    continue
                if due is not None and connection is not None and self._route.target is not None:
                    self._push(connection, self._route.target, *due)
        finally:
            if connection is not None:
                connection.close()

    def wake(self) -> None:
        """Have ``run`` ask at once whether it is stopped."""
        self._to_push.put(None)

    def _push(self, connection: Connection, target: Target, reply: Inbound, text: str) -> None:
        said = parameters(reply.src, reply.dst, written(text, self._route.encoding))
        answer = connection.ask(request(target.host, target.path, said))
        with self._state.lock:
            self.pushed[answer.said] += 1
            if answer.acknowledged:
                self._state.handed_over(reply)

    def _unasked(self, now: datetime) -> None:
        if not self._habits.unasked:
            return
        # By the last moment, not by now: a tick that comes late lets all come up that it missed.
        moment = self._next_unasked or now
        while moment <= now:
            account = next(iter(self._state.accounts.values()))
            phone = simulated_phone(self._dice.randrange(_PHONES))
            self._expect(moment, phone, account.service_number, account.name)
            moment += timedelta(seconds=1 / self._habits.unasked)
        self._next_unasked = moment

    def _expect(self, at: datetime, src: str, dst: str, account: str) -> None:
        stop = self._dice.random() < self._habits.stops
        text = STOP if stop or not self._habits.texts else self._dice.choice(self._habits.texts)
        self._known += 1
        heapq.heappush(self._coming, (at, self._known, src, dst, text, account))

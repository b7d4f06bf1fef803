"""The simulated gateway as one thing, for tests and demos: its pages, its subscribers, the truth of what it did."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from types import TracebackType

from .desk import Desk, Post
from .faults import Fault, Luck
from .form import encoded
from .pages import Answered, Pages
from .rules import Rules
from .server import Server
from .state import State
from .subscribers import Habits, Route, Subscribers
from .values import Account, Call, Inbound, Sent, Violation
from .view import View

DEMO = Account("demo", "demo123")


class SimulatedGateway:
    """Stands in for the gateway at ``url`` while it is entered. It listens on this machine, at a free port by default.

    ``charset`` is what it reads and writes; ``post``: POST is taken, refused with 405, or ignored as a page does that
    reads the query alone. ``clock`` tells the time (aware) of all it does; ``seed`` repeats what is random.
    Raises OSError where it can't listen.
    """

    def __init__(
        self,
        accounts: Iterable[Account] = (DEMO,),
        faults: Iterable[Fault] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        rules: Rules | None = None,
        habits: Habits | None = None,
        route: Route | None = None,
        charset: str = "gb18030",
        post: Post = "taken",
        host: str = "127.0.0.1",
        port: int = 0,
        path: str = "/send/",
        seed: int | None = None,
    ) -> None:
        self._clock = clock
        self._charset = charset
        self._path = f"/{path.strip('/')}/" if path.strip("/") else "/"
        self._host = host
        # One for each who throws, so that one's throws don't depend on how often another threw.
        seeds = random.Random(seed)
        self._luck = Luck(faults, random.Random(seeds.random()))
        self._state = State(accounts)
        self._subscribers = Subscribers(
            self._state, habits or Habits(), route or Route(), self._written, random.Random(seeds.random())
        )
        self._desk = Desk(
            self._state,
            Pages(self._state, rules or Rules(), charset),
            self._luck,
            clock=clock,
            charset=charset,
            path=self._path,
            post=post,
            dice=random.Random(seeds.random()),
            elsewhere=View(self, charset).answer,
            arriving=lambda: self._subscribers.tick(clock()),
            carried_out=self._carried_out,
        )
        self._server = Server(host, port, self._desk.answer)
        self._thread = threading.Thread(target=self._run, name="subscribers", daemon=True)

    def __enter__(self) -> "SimulatedGateway":
        self._server.start()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop: calls that wait are broken off, and what was not carried out by now never is."""
        self._desk.stopping.set()
        self._subscribers.wake()
        self._server.close()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def url(self) -> str:
        """The folder of its pages, to be set as the gateway's base address."""
        return f"{self.page_url.rstrip('/')}{self._path}"

    @property
    def page_url(self) -> str:
        """Where people see what it sent."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self._server.port}/"

    @property
    def sent(self) -> list[Sent]:
        """The truth: every text it accepted, one for each phone and call, those scheduled for later too."""
        with self._state.lock:
            return self._state.sent.copy()

    @property
    def delivered(self) -> list[Sent]:
        """Those that phones have seen by now."""
        now = self._clock()
        return [sent for sent in self.sent if sent.at <= now]

    @property
    def calls(self) -> list[Call]:
        """Every call of a page, in the order they were carried out or failed."""
        with self._state.lock:
            return self._state.calls.copy()

    @property
    def violations(self) -> list[Violation]:
        """The readsms.asp calls that came too soon."""
        with self._state.lock:
            return self._state.violations.copy()

    @property
    def after_stop(self) -> list[Sent]:
        """Texts to phones whose 0000 the enterprise had been handed before: there must be none."""
        with self._state.lock:
            return self._state.after_stop.copy()

    @property
    def replies(self) -> list[Inbound]:
        """Every reply of a phone, read or not."""
        self._subscribers.tick(self._clock())
        with self._state.lock:
            return self._state.replies.copy()

    @property
    def pushed(self) -> Counter[str]:
        """How often each answer came to a pushed reply."""
        with self._state.lock:
            return self._subscribers.pushed.copy()

    @property
    def accounts(self) -> list[Account]:
        """The accounts as they are now."""
        with self._state.lock:
            return list(self._state.accounts.values())

    @property
    def faults(self) -> Sequence[Fault]:
        """What goes wrong; may be set at any time."""
        return self._luck.faults

    @faults.setter
    def faults(self, faults: Iterable[Fault]) -> None:
        self._luck.set(faults)

    def account(self, name: str | None = None) -> Account:
        """An account as it is now, the first one by default."""
        return self.accounts[0] if name is None else next(one for one in self.accounts if one.name == name)

    def unread(self, account: str | None = None) -> int:
        """How many replies wait for readsms.asp."""
        self._subscribers.tick(self._clock())
        with self._state.lock:
            return self._state.unread(account or self.account().name)

    def put_reply(
        self, src: str, dst: str, text: str | bytes, *, at: datetime | None = None, account: str | None = None
    ) -> str:
        """A phone replies: the reply waits for readsms.asp. Returns its number at the gateway.

        ``text`` as bytes goes out as it is.
        """
        raw = text if isinstance(text, bytes) else self._written(text)
        with self._state.lock:
            reply = self._state.hear(at or self._clock(), src, dst, raw, account or self.account().name)
            self._state.put_in_inbox(reply)
        return reply.gateway_id

    def now(self) -> datetime:
        return self._clock()

    def _written(self, text: str) -> bytes:
        return encoded(text, self._charset)

    def _carried_out(self, answered: Answered) -> None:
        self._subscribers.saw(answered.sent)

    def _run(self) -> None:
        self._subscribers.run(self._clock, self._desk.stopping.is_set)

"""What goes wrong between the gateway and its caller, when it is told to."""

import random
import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .values import Page


class Kind(StrEnum):
    """What goes wrong. Those of the first group lose the answer, those of the second deform it."""

    TIMEOUT = "timeout"
    """No answer, ever."""
    SLOW = "slow"
    """The answer comes ``seconds`` late; before: so does what it answers, even where the caller has left by then."""
    CUT = "cut"
    """A part of the answer, of which Content-Length tells that it isn't all."""
    CUT_UNMARKED = "cut-unmarked"
    """A part of the answer, and nothing tells that it isn't all."""
    RESET = "reset"
    """A part of the answer, then the connection is reset."""
    ERROR_500 = "error-500"
    ERROR_PAGE = "html"
    """An HTML page that tells of an error, with status 200."""

    WRONG_CHARSET = "wrong-charset"
    SHUFFLED = "shuffle"
    """The answer's parameters in random order."""
    SPACED = "spaces"
    """White space around the answer, and line ends between its parameters."""
    DUPLICATE = "duplicate"
    """readsms.asp forgets to mark the reply as read: it comes again, under the same number."""
    EMPTY_SRC = "empty-src"
    """readsms.asp leaves src empty, with the phone in dst (protocol.md §5)."""

    @property
    def loses(self) -> bool:
        """Whether the answer doesn't come whole, or not in time."""
        return self in _LOSING

    @property
    def can_come_before(self) -> bool:
        """Whether it can happen before anything was carried out."""
        return self in _BEFORE


_BEFORE = frozenset([Kind.TIMEOUT, Kind.SLOW, Kind.RESET, Kind.ERROR_500, Kind.ERROR_PAGE])
_LOSING = _BEFORE | {Kind.CUT, Kind.CUT_UNMARKED}
_BEFORE_SUFFIX = "-before"
_FORM = re.compile(
    r"(?:(?P<page>[a-z]+):)?(?P<name>[a-z0-9-]+)=(?:every:(?P<every>[0-9]+)|(?P<share>[0-9]*\.?[0-9]+)(?P<percent>%?))"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong: at every ``every``-th call of ``pages``, or at the share ``rate`` of them.

    ``before``: before the gateway does anything, so that nothing was done; otherwise it was done, and the answer is
    lost. ``times`` bounds how often. Raises ValueError where it makes no sense.
    """

    kind: Kind
    before: bool = False
    rate: float | None = None
    every: int = 1
    times: int | None = None
    pages: frozenset[Page] = frozenset(Page)
    at: int | None = None
    """For a part of the answer: how many bytes of its body come; negative: it ends so many bytes before the body.

    None: anywhere in the whole answer.
    """
    seconds: float = 3.0

    def __post_init__(self) -> None:
        if self.before and not self.kind.can_come_before:
            raise ValueError(f"{self.kind} comes after a call was carried out: leave {_BEFORE_SUFFIX} away")
        if self.every < 1 or not (self.rate is None or 0 <= self.rate <= 1) or self.seconds < 0:
            raise ValueError(f"{self.kind}: a share from 0 to 1, or every:N with N from 1")

    @property
    def name(self) -> str:
        return self.kind.value + (_BEFORE_SUFFIX if self.before else "")

    @classmethod
    def parse(cls, written: str, seconds: float = 3.0) -> "Fault":
        """``[PAGE:]KIND[-before]=SHARE`` or ``…=every:N``, as on the command line. Raises ValueError."""
        form = _FORM.fullmatch(written)
        if form is None:
            raise ValueError(
                f"{written!r} is no fault: write for example timeout=0.1, timeout=10% or gsend:cut=every:5"
            )
        name = form["name"]
        try:
            kind = Kind(name.removesuffix(_BEFORE_SUFFIX))
        except ValueError:
            raise ValueError(f"no fault is called {name!r}; there are {', '.join(fault_names())}") from None
        try:
            pages = frozenset([Page(form["page"])]) if form["page"] else frozenset(Page)
        except ValueError:
            raise ValueError(f"no page is called {form['page']!r}; there are {', '.join(Page)}") from None
        rate, every = None, 1
        if form["every"]:
            every = int(form["every"])
        else:
            rate = float(form["share"]) / (100 if form["percent"] else 1)
        return cls(kind, name.endswith(_BEFORE_SUFFIX), rate, every, pages=pages, seconds=seconds)


def fault_names() -> list[str]:
    """Every fault's name on the command line."""
    return [name for kind in Kind for name in (kind.value, kind.value + _BEFORE_SUFFIX)[: 1 + kind.can_come_before]]


class Luck:
    """Decides which faults befall a call. Safe to ask from several threads."""

    def __init__(self, faults: Iterable[Fault], dice: random.Random) -> None:
        self.dice = dice
        self._lock = threading.Lock()
        self.set(faults)

    def set(self, faults: Iterable[Fault]) -> None:
        """From now on these befall; counting begins anew."""
        with self._lock:
            self._faults = tuple(faults)
            self._calls = [0] * len(self._faults)
            self._hits = [0] * len(self._faults)

    @property
    def faults(self) -> Sequence[Fault]:
        return self._faults

    def draw(self, page: Page) -> list[Fault]:
        """The faults of a call of ``page``: one at most that loses the answer, any number that deform it."""
        with self._lock:
            befallen = [fault for number, fault in enumerate(self._faults) if self._befalls(number, fault, page)]
        losing = [fault for fault in befallen if fault.kind.loses]
        return losing[:1] + [fault for fault in befallen if not fault.kind.loses]

    def _befalls(self, number: int, fault: Fault, page: Page) -> bool:
        if page not in fault.pages or (fault.times is not None and self._hits[number] >= fault.times):
            return False
        self._calls[number] += 1
        hit = self._calls[number] % fault.every == 0 if fault.rate is None else self.dice.random() < fault.rate
        self._hits[number] += hit
        return hit

"""What can be counted: counters, gauges and spreads, each with labels whose values are all known beforehand."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import ClassVar

from .memory import Memory


class Role(StrEnum):
    """Who counts a thing, and so tells it."""

    CALLBACK = "callback"
    ADMIN = "admin"
    WORKER = "worker"


ALL_ROLES = tuple(Role)


class Cell:
    """One number."""

    __slots__ = ("_at",)

    def __init__(self, at: int) -> None:
        self._at = at

    def add(self, count: int = 1) -> None:
        """Count so many more; of a gauge, less than none too."""
        memory.cells[self._at] += count

    def set(self, value: int) -> None:
        memory.cells[self._at] = value


class Spread:
    """How many values fell below each bound, and what they come to."""

    __slots__ = ("_at", "_bounds", "_sum")

    def __init__(self, at: int, bounds: Sequence[int]) -> None:
        self._at, self._bounds, self._sum = at, bounds, at + len(bounds) + 1

    def observe(self, value: int) -> None:
        cells = memory.cells
        cells[self._at + bisect_left(self._bounds, value)] += 1
        cells[self._sum] += value


@dataclass(frozen=True, slots=True)
class Found:
    """What was counted under these labels: one number, or of a spread a count for each bound, for more, and the sum."""

    labels: tuple[str, ...]
    values: Sequence[int]


class Measure:
    """Something that is counted. ``labels`` has for each label every value that it may ever have.

    ``seconds_of`` is what one in a cell is worth, for what is not counted in ones.
    """

    kind: ClassVar[str]

    def __init__(
        self,
        name: str,
        says: str,
        roles: Sequence[Role],
        labels: Mapping[str, Sequence[str]] | None = None,
        *,
        unit: float = 1,
        bounds: Sequence[int] = (),
    ) -> None:
        self.name, self.says, self.roles, self.unit, self.bounds = name, says, tuple(roles), unit, tuple(bounds)
        self.labels = tuple(labels or ())
        self._size = len(bounds) + 2 if bounds else 1
        self._at = {values: _room(self._size) for values in product(*(labels or {}).values())}
        measures.append(self)

    def forget(self, cells: MutableSequence[int] | memoryview) -> None:
        """Have ``cells`` say nothing of it."""
        for at in self._at.values():
            for cell in range(at, at + self._size):
                cells[cell] = 0

    def found(self, cells: Sequence[int]) -> Iterator[Found]:
        """What ``cells`` say of it."""
        for values, at in self._at.items():
            yield Found(values, cells[at : at + self._size])


class Counter(Measure):
    """It only grows."""

    kind = "counter"

    def of(self, *labels: str) -> Cell:
        """The cell for these labels. Raises KeyError for what was not declared."""
        return Cell(self._at[labels])


class Gauge(Counter):
    """It goes up and down, and is nothing in a process that begins."""

    kind = "gauge"


class Spreads(Measure):
    """Values by their size, as a histogram."""

    kind = "histogram"

    def of(self, *labels: str) -> Spread:
        """As of a counter."""
        return Spread(self._at[labels], self.bounds)


measures: list[Measure] = []
"""All that were declared."""


def _room(cells: int) -> int:
    global _width
    at, _width = _width, _width + cells
    memory.grow(cells)
    return at


_width = 0
memory = Memory(lambda: _width)


def begin(processes: int = 1) -> None:
    """Count from nothing, as a role that begins does, for it and so many processes that it will fork."""
    memory.share(processes)


def join(line: int) -> None:
    """Count in a line of those that the role that forked this process has begun."""
    cells = memory.take(line)
    for measure in measures:
        if isinstance(measure, Gauge):
            measure.forget(cells)  # it was of one that died there


def read(role: Role) -> list[tuple[Measure, list[Found]]]:
    """What the processes of this role have counted, together."""
    cells = memory.summed()
    return [(measure, list(measure.found(cells))) for measure in measures if role in measure.roles]

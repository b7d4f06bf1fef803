"""How long something took, in steps that are each a fifth wider than the one before: many durations as few numbers."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

# Microseconds up to which a step reaches: four steps double it. The last one takes all that is longer.
STEPS = tuple(round(250 * 2 ** (step / 4)) for step in range(64))


@dataclass(frozen=True, slots=True)
class Spread:
    """How many durations fell into one step, and the longest of them in microseconds."""

    count: int
    longest: int

    def with_(self, other: "Spread") -> "Spread":
        return Spread(self.count + other.count, max(self.longest, other.longest))


@dataclass(frozen=True, slots=True)
class Summary:
    """Durations in milliseconds. Of ``count`` so many hundredths were no longer than each of these.

    ``longest`` is exact; the others are up to a fifth more than it was, never less.
    """

    count: int
    p50: float
    p95: float
    p99: float
    longest: float


def step_of(microseconds: int) -> int:
    """The step that a duration falls into."""
    return min(bisect_left(STEPS, microseconds), len(STEPS) - 1)


def summary(spreads: Mapping[int, Spread]) -> Summary | None:
    """What ``spreads``, by step, come to; None where there are none."""
    count = sum(spread.count for spread in spreads.values())
    if not count:
        return None
    longest = max(spread.longest for spread in spreads.values())

    def within(hundredths: int) -> float:
        wanted, seen = -(-count * hundredths // 100), 0
        for step in sorted(spreads):
            seen += spreads[step].count
            if seen >= wanted:
                # None of this step was longer than its longest one.
                reaches = STEPS[step] if step < len(STEPS) - 1 else longest
                return min(reaches, spreads[step].longest) / 1000
        return longest / 1000

    return Summary(count, within(50), within(95), within(99), longest / 1000)

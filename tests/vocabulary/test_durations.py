"""Durations in steps come to what they were, or up to a fifth more."""

import random

from receiver.vocabulary.durations import STEPS, Spread, step_of, summary


def spread_out(durations: list[int]) -> dict[int, Spread]:
    found: dict[int, Spread] = {}
    for microseconds in durations:
        one = Spread(1, microseconds)
        step = step_of(microseconds)
        found[step] = found[step].with_(one) if step in found else one
    return found


def test_hundredths_are_never_too_little_and_at_most_a_fifth_too_much() -> None:
    dice = random.Random(4)
    durations = sorted(int(dice.lognormvariate(8, 1)) + 300 for _ in range(997))
    found = summary(spread_out(durations))
    assert found is not None
    assert (found.count, found.longest) == (997, durations[-1] / 1000)
    for hundredths, told in ((50, found.p50), (95, found.p95), (99, found.p99)):
        true = durations[-(-997 * hundredths // 100) - 1] / 1000
        assert true <= told <= true * 1.2


def test_what_is_shorter_or_longer_than_every_step_is_told_as_well() -> None:
    assert summary({}) is None
    brief = summary(spread_out([0, 0, 7]))
    assert brief is not None
    assert (brief.p50, brief.p99, brief.longest) == (0.007, 0.007, 0.007)
    endless = summary(spread_out([STEPS[-1] * 10]))
    assert endless is not None
    assert endless.p50 == endless.longest == STEPS[-1] / 100

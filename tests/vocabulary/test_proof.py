"""The way through the chain, for any event and any head."""

from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.vocabulary.ledger import GENESIS, chained, skips_to
from receiver.vocabulary.proof import follow, path, raw_text, way

LENGTH = 5_000


def _chain() -> tuple[list[str], list[str]]:
    digests = [sha256(b"%d" % number).hexdigest() for number in range(LENGTH + 1)]
    hashes = [GENESIS]
    for number in range(1, LENGTH + 1):
        hashes.append(chained(hashes[-1], hashes[skips_to(number)], digests[number]))
    return digests, hashes


DIGESTS, HASHES = _chain()
ends = st.integers(0, LENGTH).flatmap(lambda end: st.tuples(st.integers(0, end), st.just(end)))


@given(ends)
def test_a_path_leads_from_any_event_to_any_later_one_in_few_steps(both: tuple[int, int]) -> None:
    start, end = both
    steps: list[dict[str, Any]] = path(start, end, DIGESTS.__getitem__, HASHES.__getitem__)
    assert follow(start, HASHES[start], steps) == (end, HASHES[end])
    bits = end.bit_length()
    assert len(steps) <= bits * (bits + 1) // 2


def test_no_path_among_thousands_is_long() -> None:
    assert max(len(way(start, 4_999)) for start in range(5_000)) <= 13 * 14 // 2
    assert way(0, 4_096) == [4_096]
    assert way(7, 7) == []


@given(ends.filter(lambda both: both[0] < both[1]), st.data())
def test_no_hash_of_a_path_can_change(both: tuple[int, int], data: st.DataObject) -> None:
    start, end = both
    steps: list[dict[str, Any]] = path(start, end, DIGESTS.__getitem__, HASHES.__getitem__)
    step = data.draw(st.sampled_from(steps))
    step[data.draw(st.sampled_from(["digest", "other"]))] = "1" * 64
    assert follow(start, HASHES[start], steps) != (end, HASHES[end])


@pytest.mark.parametrize("sequence", [3, 1, 2, 7, True, "6", None])
def test_a_step_that_stands_on_nothing_is_refused(sequence: Any) -> None:
    with pytest.raises(ValueError, match="event"):
        follow(3, "1" * 64, [{"sequence": sequence, "digest": "2" * 64, "other": "3" * 64}])


def test_bytes_are_shown_as_they_were_on_the_wire() -> None:
    assert raw_text(b"%CD%A3+ok\xcd\x00") == "%CD%A3+ok\\xcd\x00"

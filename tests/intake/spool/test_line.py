"""A line of the spool reads back as what was written, and as nothing else."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.intake.spool.line import BEGIN, END, Corrupt, item_of, line_of
from receiver.intake.spool.segment import HEAD, content_in
from receiver.vocabulary import Charset, Delivery, Kind, Origin, Quarantined, Reason, Reply, Undeliverable, new_id

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
TIMES = st.integers(0, 2**47).map(lambda microseconds: datetime.fromtimestamp(microseconds / 1_000_000, UTC))
PEERS = st.none() | st.just("203.81.21.34")
DELIVERIES = st.builds(
    Delivery,
    src=TEXTS, src_wire=TEXTS, dst=TEXTS, raw=st.binary(max_size=200), text=TEXTS,
    charset=st.sampled_from(Charset), charset_certain=st.booleans(), kind=st.sampled_from(Kind),
)  # fmt: skip
UNDELIVERABLE = st.builds(
    Undeliverable, st.sampled_from(Reason), TEXTS, st.binary(max_size=200), st.none() | st.just("+8613900000001")
)
REPLIES = st.builds(Reply, st.builds(new_id), TIMES, st.just(Origin.PUSH), PEERS, DELIVERIES)
ITEMS = REPLIES | st.builds(Quarantined, st.builds(new_id), TIMES, PEERS, UNDELIVERABLE)


@given(ITEMS)
def test_what_was_written_reads_back_equal(item: Reply | Quarantined) -> None:
    line = line_of(item)
    assert line.startswith(BEGIN)
    assert line.endswith(END)
    assert line.count(BEGIN) == line.count(END) == 1
    assert item_of(line[1:-1]) == item


@given(ITEMS, st.data())
def test_no_byte_can_change_unnoticed(item: Reply | Quarantined, data: st.DataObject) -> None:
    line = bytearray(line_of(item)[1:-1])
    place = data.draw(st.integers(0, len(line) - 1))
    line[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Corrupt):
        item_of(bytes(line))


@given(st.lists(ITEMS, min_size=1, max_size=6), st.data())
def test_whatever_is_cut_off_or_damaged_takes_at_most_its_neighbour_with_it(
    items: list[Reply | Quarantined], data: st.DataObject
) -> None:
    lines = [line_of(item) for item in items]
    whole = HEAD + b"".join(lines)
    cut = data.draw(st.integers(len(HEAD), len(whole)))
    torn = content_in(whole[:cut])
    ends = [len(HEAD) + sum(map(len, lines[: number + 1])) for number in range(len(lines))]
    written = sum(end <= cut for end in ends)
    assert torn.items[:written] == items[:written]
    assert len(torn.items) <= written + 1  # without its line's end, it is whole all the same
    assert torn.damaged == []

    place = data.draw(st.integers(len(HEAD), len(whole) - 1))
    damaged = bytearray(whole)
    damaged[place] ^= data.draw(st.integers(1, 255))
    found = content_in(bytes(damaged))
    assert len(found.items) >= len(items) - 2
    assert all(item in items for item in found.items)
    assert found.damaged or found.torn or len(found.items) == len(items)


def test_ids_and_times_are_what_they_were() -> None:
    item = Quarantined(new_id(), datetime.now(UTC), None, Undeliverable(Reason.METHOD, "", b"\x00\xff"))
    assert item_of(line_of(item)[1:-1]) == replace(item)

"""A line of the spool reads back as what was written, and as nothing else."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.intake.spool.line import BEGIN, END, Corrupt, item_of, likely_item_of, line_of
from receiver.intake.spool.segment import HEAD, content_in
from receiver.vocabulary import Charset, Delivery, Kind, Origin, Quarantined, Reason, Reply, Undeliverable, new_id
from tests.intake.replies import reply

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


@pytest.mark.parametrize("byte", [b"\x00", b"\x0b", b"x", BEGIN, END])
@pytest.mark.parametrize("place", [0, -1], ids=["begin", "end"])
def test_a_last_line_whose_begin_or_end_is_damaged_is_read(place: int, byte: bytes) -> None:
    first, last = reply("a"), reply("0000")
    line = bytearray(line_of(last))
    line[place] = byte[0]
    found = content_in(HEAD + line_of(first) + bytes(line))
    assert found.items == [first, last]
    assert not found.damaged


@pytest.mark.parametrize(
    "written",
    [b"", bytes(400), HEAD + line_of(reply("a")) + bytes(9), HEAD + line_of(reply("0000"))[:-30] + bytes(30)],
    ids=["empty", "zeros", "zeros behind", "zeros at the end"],
)
def test_what_no_process_leaves_that_ends_amid_a_write_is_damaged(written: bytes) -> None:
    found = content_in(written)
    assert found.damaged
    assert not found.torn


@pytest.mark.parametrize(
    "said",
    [
        {"id": 5}, {"reply": None}, {"received_at": "0001-01-01T00:00:00+14:00"}, {"reply": {"src": 12345}},
        {"reply": {"text": "\ud83d"}}, {"peer": "\ud83d"}, {"reply": {"charset_certain": 1}}, {"reply": {"more": "x"}},
    ],
    ids=str,
)  # fmt: skip
def test_what_could_not_be_stored_is_no_item(said: dict[str, Any]) -> None:
    _, _, plain = line_of(reply("a"))[1:-1].partition(b" ")
    told = json.loads(plain)
    for name, value in said.items():
        told[name] = {**told["reply"], **value} if isinstance(value, dict) else value
    for written in (json.dumps(told).encode(), b"[" * 100_000):
        with pytest.raises(Corrupt):
            likely_item_of(b"x " + written)


def test_ids_and_times_are_what_they_were() -> None:
    item = Quarantined(new_id(), datetime.now(UTC), None, Undeliverable(Reason.METHOD, "", b"\x00\xff"))
    assert item_of(line_of(item)[1:-1]) == replace(item)

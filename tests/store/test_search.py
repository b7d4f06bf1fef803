"""Finding messages: whatever is asked for is found in order, indexed or not, and a walk skips and repeats nothing."""

import random
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from receiver.store import feed, messages, search, tables
from receiver.store.feed import Place
from receiver.store.messages import Filter, reading
from receiver.store.search import buckets
from receiver.store.store import Store
from receiver.vocabulary import Charset, Delivery, Kind, Origin, Reply, earliest_id
from receiver.vocabulary.terms import folded
from tests.properties import tried

WINDOW = timedelta(0)
START = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = [
    "好",
    "要",
    "谢谢",
    "医院",
    "医",
    "院",
    "退订",
    "Hello",
    "hell",
    "ＨＥＬＬＯ",
    "50%",
    "a_b",
    "١",
    "😀",
    "ß",
    " ",
    "'",
    "\\",
]


def made(dice: random.Random, count: int, *, since: datetime = START) -> list[Reply]:
    """Replies of a month, in the order in which they are stored, which is not that of their ids."""
    replies = []
    for _ in range(count):
        at = since + timedelta(seconds=dice.randrange(30 * 86_400))
        said = "".join(dice.choice(WORDS) for _ in range(dice.randrange(5)))
        kind = Kind.UNSUBSCRIBE if dice.random() < 0.1 else Kind.REPLY
        src = f"+861390000000{dice.randrange(4)}"
        delivery = Delivery(src, src, f"1069{dice.randrange(3)}", said.encode(), said, Charset.UTF_8, True, kind)
        message_id = UUID(int=earliest_id(at).int | dice.getrandbits(60))
        replies.append(Reply(message_id, at, dice.choice([Origin.PUSH, Origin.PUSH, Origin.IMPORT]), None, delivery))
    return replies


def stored(store: Store) -> list[Any]:
    with store.reading() as connection:
        return list(messages.stream(connection, Filter()))


def expected(rows: Sequence[Any], chosen: Filter) -> list[UUID]:
    """What a plain look at every row finds."""

    def fits(row: Any) -> bool:
        exact = all(getattr(chosen, name) in (None, row[name]) for name in ("src", "dst", "kind", "origin", "service"))
        return (
            exact
            and (chosen.text is None or folded(chosen.text) in folded(row["text"]))
            and (chosen.duplicates is None or (row["duplicate_of"] is not None) == chosen.duplicates)
            and (chosen.since is None or row["received_at"] >= chosen.since)
            and (chosen.until is None or row["received_at"] < chosen.until)
        )

    return sorted((row["id"] for row in rows if fits(row)), reverse=True)


def some_filter(dice: random.Random) -> Filter:
    def maybe(value: Any, chance: float = 0.3) -> Any:
        return value if dice.random() < chance else None

    since = START + timedelta(days=dice.randrange(30))
    return Filter(
        src=maybe(f"+861390000000{dice.randrange(4)}", 0.15),
        dst=maybe(f"1069{dice.randrange(3)}"),
        text=maybe("".join(dice.choice(WORDS) for _ in range(dice.randrange(1, 4))), 0.6),
        kind=maybe(dice.choice(list(Kind))),
        origin=maybe(dice.choice([Origin.PUSH, Origin.IMPORT])),
        since=maybe(since, 0.2),
        until=maybe(since + timedelta(days=dice.randrange(1, 20)), 0.2),
        duplicates=maybe(dice.random() < 0.5, 0.2),
        service=maybe("news", 0.1),
    )


def index_all(store: Store, *, at_once: int = 50) -> None:
    while True:
        with store.writing() as connection:
            if not search.index(connection, limit=at_once):
                return


def walked(store: Store, chosen: Filter, limit: int) -> list[UUID]:
    """Page by page to the end, and back again, which must be the same."""
    there: list[UUID] = []
    while True:
        with store.reading() as connection:
            older = there[-1] if there else None
            rows = messages.page(connection, chosen, older_than=older, limit=limit)
        there += [row["id"] for row in rows]
        if len(rows) < limit:
            break
    back = there[-1:]
    while back:
        with store.reading() as connection:
            rows = messages.page(connection, chosen, newer_than=back[0], limit=limit)
        if not rows:
            break
        back = [*(row["id"] for row in rows), *back]
    assert back == there
    return there


def test_every_filter_finds_what_a_plain_look_finds_before_amid_and_after_indexing(store: Store) -> None:
    dice = random.Random(7)
    rows: list[Any] = []
    with patch.object(buckets, "BUCKET", 30), ExitStack() as patched:
        for round_ in range(4):
            store.record(made(dice, 80), [], WINDOW)
            if round_ == 1:
                index_all(store)
            if round_ == 3:
                # Too many wait: everything is looked through.
                patched.enter_context(patch.object(reading, "_MOST_WAITING", 10))
            rows = stored(store)
            for _ in range(20):
                chosen = some_filter(dice)
                assert walked(store, chosen, dice.choice([1, 3, 7, 500])) == expected(rows, chosen), chosen
                with store.reading() as connection:
                    streamed = [row["id"] for row in messages.stream(connection, chosen)]
                assert streamed == expected(rows, chosen), chosen
        patched.close()
        index_all(store)
        for _ in range(40):
            chosen = some_filter(dice)
            assert walked(store, chosen, dice.choice([2, 50])) == expected(rows, chosen), chosen


@pytest.mark.parametrize(
    ("text", "needles", "not_in"),
    [
        ("明天停水通知", ["停", "明", "知", "停水", "天停水通", "明天停水通知"], ["水停", "停通", "雨"]),
        ("Hello World", ["hello", "LO W", "ＷＯＲＬＤ", "d", "o w"], ["ow", "worldd"]),
        ("ＡＢＣ１２３", ["abc", "C1", "23"], ["13"]),
        ("Straße", ["STRASSE", "ß", "ss"], ["sz"]),
        ("50% a_b 'x' \\", ["%", "_", "'x'", "\\", "% a"], ["a%b", "*"]),
        ("ｶﾞｷﾞ", ["ガ", "ガギ"], ["カ"]),
        ("👨‍👩‍👧", ["👩", "👨‍👩‍👧"], ["👦"]),
    ],
)
def test_a_text_is_found_by_any_part_of_it_letter_case_and_width_aside(
    store: Store, text: str, needles: list[str], not_in: list[str]
) -> None:
    dice = random.Random(1)
    [reply] = made(dice, 1)
    said = reply.delivery
    from dataclasses import replace

    store.record([replace(reply, delivery=replace(said, text=text)), *made(dice, 5)], [], WINDOW)
    for indexed in (False, True):
        if indexed:
            index_all(store)
        with store.reading() as connection:
            for needle in needles:
                found = [row["id"] for row in messages.page(connection, Filter(text=needle), limit=9)]
                assert reply.id in found, needle
            for needle in not_in:
                assert reply.id not in [row["id"] for row in messages.page(connection, Filter(text=needle), limit=9)]


def test_what_changed_is_found_as_it_is_now_and_what_was_forgotten_is_not_found(store: Store) -> None:
    dice = random.Random(3)
    store.record(made(dice, 30), [], WINDOW)
    index_all(store)
    changed, deleted = (row["id"] for row in stored(store)[:2])
    with store.writing() as connection:
        connection.execute(update(tables.messages).where(tables.messages.c.id == changed).values(text="旧文变新文"))
        feed.touch(connection, [changed])
        rows = connection.execute(tables.messages.select().where(tables.messages.c.id == deleted)).mappings().all()
        search.forget(connection, rows)
        connection.execute(delete(tables.messages).where(tables.messages.c.id == deleted))
    for _ in range(2):
        with store.reading() as connection:
            assert [row["id"] for row in messages.page(connection, Filter(text="变新"), limit=9)] == [changed]
        rows = stored(store)
        for _ in range(20):
            chosen = some_filter(dice)
            assert walked(store, chosen, 5) == expected(rows, chosen)
        index_all(store)


def test_the_feed_comes_in_the_order_of_commits_and_misses_none_that_commit_late(
    store: Store, database_url: str
) -> None:
    dice = random.Random(5)
    early, late, last = made(dice, 3)
    other = Store(database_url)
    columns = [tables.messages.c.id]

    def read(place: Place) -> tuple[list[UUID], Place]:
        with store.reading() as connection:
            rows = feed.after(connection, place, columns, limit=10)
            return [row["id"] for row in rows], feed.place_of(rows[-1]) if rows else place

    if database_url.startswith("sqlite"):
        store.record([early], [], WINDOW)
        store.record([late], [], WINDOW)
        store.record([last], [], WINDOW)
        assert read(Place())[0] == [early.id, late.id, last.id]
    else:
        with store.writing() as slow:
            from receiver.store.record import record

            record(slow, [late], [], WINDOW)
            other.record([early], [], WINDOW)
            # What is committed after one that still runs waits for it: else that one would be missed.
            assert read(Place()) == ([], Place())
            with other.reading() as connection:
                assert [row["id"] for row in messages.page(connection, Filter(), limit=9)] == [early.id]
        seen, place = read(Place())
        assert seen == [late.id, early.id]
        other.record([last], [], WINDOW)
        assert read(place)[0] == [last.id]
    with store.reading() as connection:
        end = feed.end(connection)
    assert read(end) == ([], end)
    assert Place.of(str(end)) == end
    with store.writing() as connection:
        feed.touch(connection, [early.id])
    assert read(end)[0] == [early.id]
    other.close()


def test_a_dump_that_is_read_into_a_cluster_which_counts_from_less_goes_on_behind_it(postgresql_url: str) -> None:
    store = Store(postgresql_url)
    dice = random.Random(9)
    old, new = made(dice, 2)
    store.record([old], [], WINDOW)
    with store.writing() as connection:
        connection.execute(update(tables.messages).values(position=10**9))
    index_all(store)
    with store.reading() as connection:
        assert not search.indexed_up_to(connection).position
    with store.writing() as connection:
        assert feed.realign(connection)
    with store.writing() as connection:
        assert not feed.realign(connection)
    store.record([new], [], WINDOW)
    with store.reading() as connection:
        rows = feed.after(connection, Place(), [tables.messages.c.id], limit=9)
    assert [row["id"] for row in rows] == [old.id, new.id]
    store.close()


@settings(max_examples=tried(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), limit=st.integers(1, 5), by_text=st.booleans(), older=st.booleans())
def test_a_walk_skips_and_repeats_no_row_that_was_there_while_others_come_and_go(
    store: Store, seed: int, limit: int, by_text: bool, older: bool
) -> None:
    dice = random.Random(seed)
    with store.writing() as connection:
        connection.execute(delete(tables.messages))
    store.record(made(dice, 30), [], WINDOW)
    chosen = Filter(text="医" if by_text else None)
    there = expected(stored(store), chosen)
    gone: set[UUID] = set()
    walked_: list[UUID] = []
    place = None if older else UUID(int=0)
    while True:
        with store.reading() as connection:
            rows = messages.page(
                connection,
                chosen,
                older_than=place if older else None,
                newer_than=None if older else place,
                limit=limit,
            )
        if not rows:
            break
        walked_ += [row["id"] for row in (rows if older else rows[::-1])]
        place = walked_[-1]
        store.record(made(dice, 2), [], WINDOW)
        victim = dice.choice(stored(store))["id"]
        gone.add(victim)
        with store.writing() as connection:
            connection.execute(delete(tables.messages).where(tables.messages.c.id == victim))
            if dice.random() < 0.5:
                search.index(connection, limit=dice.randrange(1, 20))
        if len(walked_) > 200:
            break
    assert len(set(walked_)) == len(walked_)
    assert walked_ == sorted(walked_, reverse=older)
    assert set(there) - gone <= set(walked_)


def test_sqlite_s_index_is_merged_in_small_steps_to_an_end_and_finds_the_same(store: Store) -> None:
    dice = random.Random(2)
    for _ in range(12):
        store.record(made(dice, 20), [], WINDOW)
        index_all(store)
    chosen = Filter(text="医")
    before = walked(store, chosen, 50)
    steps = 0
    while True:
        with store.writing() as connection:
            if not search.tidy(connection):
                break
        steps += 1
        assert steps < 500
    assert walked(store, chosen, 50) == before == expected(stored(store), chosen)

"""Counts are what a plain look at every message finds, whoever counts, changes, deletes and inserts meanwhile."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from receiver.intake.redecode import NoSuchMessage, Redecoding
from receiver.optout.erasure import erase
from receiver.store import counts, feed, services
from receiver.store.counts import Count
from receiver.store.record import record
from receiver.store.retention import purge_messages
from receiver.store.retrying import written
from receiver.store.stats import Statistics, statistics
from receiver.store.store import Store
from receiver.store.tables import message_counts, messages
from receiver.vocabulary import Charset, Kind, Origin, Reading, Reply, earliest_id
from receiver.vocabulary.periods import By, Period, period
from tests.intake.replies import quarantined, reply, rows

NOW = datetime(2026, 6, 3, 9, 20, tzinfo=UTC)
SINCE = NOW - timedelta(days=30)
WINDOW = timedelta(0)
READING = Reading()
# 0000 in full width and GBK, behind so much white space that who is told UTF-8 looks no further: a plain reply to them.
STOP_OR_NOT = b"%20" * 100 + "００００".encode("gbk")
SAID = [b"0000", "谢谢".encode("gb18030"), b"hello", STOP_OR_NOT]

# What was deleted: by whoever deletes, before that.
Gone = list[tuple[datetime, str | None, str]]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store(database_url)
    opened.ensure_current()
    with opened.writing() as connection:
        services.add(connection, "news", "News", NOW)
        services.set_numbers(connection, "news", ["10690"], [])
        services.add(connection, "offers", "Offers", NOW)
        services.set_numbers(connection, "offers", ["10691"], [])
    yield opened
    opened.close()


def made(dice: random.Random, count: int) -> list[Reply]:
    """Replies of the month, in the order in which they are stored, which is not that of their ids."""
    replies = []
    for _ in range(count):
        at = SINCE + timedelta(seconds=dice.randrange(30 * 86_400))
        src = f"+86139{dice.randrange(10**8):08}"
        said = READING.delivery(src, f"1069{dice.randrange(3)}", dice.choice(SAID))
        message_id = UUID(int=earliest_id(at).int | dice.getrandbits(60))
        replies.append(Reply(message_id, at, Origin.PUSH, None, said))
    return replies


def add(store: Store, replies: list[Reply]) -> None:
    written(store, lambda connection: record(connection, replies, [], WINDOW))


def count_all(store: Store, *, at_once: int = 7) -> None:
    while written(store, lambda connection: counts.count(connection, limit=at_once)):
        pass


def look(store: Store, asked: Period, service: str | None = None, gone: Gone | None = None) -> None:
    """The statistics are what the messages of the same moment come to, with those that are gone."""
    with store.snapshot() as connection:
        told = statistics(connection, asked, service=service)
        there = connection.execute(select(messages.c.received_at, messages.c.service, messages.c.kind)).all()
    assert counted(told) == plainly([*there, *(gone or ())], asked, service)
    assert Count(told.total.replies, told.total.unsubscribes) == sum(counted(told).values(), Count())


def counted(told: Statistics) -> dict[Any, Count]:
    return {each.key: Count(each.replies, each.unsubscribes) for each in told.buckets}


def plainly(there: list[Any], asked: Period, service: str | None) -> dict[Any, Count]:
    within = [row for row in there if asked.since <= row[0] < asked.until and service in (None, row[1])]
    key: Callable[[Any], Any] = {By.SERVICE: lambda row: row[1], By.KIND: lambda row: row[2]}.get(
        asked.by, lambda row: _named(asked, row[0])
    )
    replies = Counter(key(row) for row in within if row[2] == Kind.REPLY)
    stops = Counter(key(row) for row in within if row[2] == Kind.UNSUBSCRIBE)
    keys: set[Any] = {*replies, *stops}
    if asked.by is By.KIND:
        keys = set(Kind)
    elif asked.by is not By.SERVICE:
        keys = {asked.name(start) for start in asked.edges[:-1]}
    return {each: Count(replies[each], stops[each]) for each in keys}


def _named(asked: Period, at: datetime) -> str:
    """By the zone's own calendar, and not by the edges that are tested."""
    local = at.astimezone(asked.zone)
    if asked.by is By.DAY:
        return local.date().isoformat()
    return local.replace(minute=0, second=0, microsecond=0).isoformat(timespec="seconds")


def every_period() -> list[Period]:
    found = [period(by, "Asia/Shanghai", SINCE, NOW, NOW) for by in By]
    found += [period(By.DAY, zone, SINCE, NOW, NOW) for zone in ("Asia/Kathmandu", "America/New_York")]
    found.append(period(By.HOUR, "Asia/Kolkata", NOW - timedelta(days=3), NOW, NOW))
    found.append(period(By.SERVICE, "UTC", NOW - timedelta(days=9), NOW - timedelta(days=2), NOW))
    return found


def look_at_all(store: Store, gone: Gone | None = None) -> None:
    for asked in every_period():
        look(store, asked, None, gone)
        look(store, asked, "news", gone)


def test_counts_are_those_of_a_plain_look_before_amid_and_after_counting(store: Store) -> None:
    dice = random.Random(1)
    look_at_all(store)
    for _ in range(3):
        add(store, made(dice, 60))
        look_at_all(store)
        with store.writing() as connection:
            assert counts.count(connection, limit=25) == 25
        look_at_all(store)
    count_all(store)
    look_at_all(store)
    with store.reading() as connection:
        assert not counts.is_behind(connection)
    assert sum(row["replies"] + row["unsubscribes"] for row in rows(store, message_counts)) == 180


@pytest.mark.parametrize(
    ("zone", "month", "day"),
    [("Europe/Berlin", 3, 29), ("Europe/Berlin", 10, 25), ("America/Havana", 3, 8), ("America/Havana", 11, 1)],
)
def test_days_on_which_clocks_are_set_have_what_came_in_on_them(store: Store, zone: str, month: int, day: int) -> None:
    begin = datetime(2026, month, day, tzinfo=UTC) - timedelta(days=1)
    times = [begin + timedelta(minutes=20 * number) for number in range(3 * 72)]
    said = READING.delivery("+8613900000001", "1069", b"hello")
    add(store, [Reply(UUID(int=earliest_id(at).int | 1), at, Origin.PUSH, None, said) for at in times])
    for counts_first in (False, True):
        if counts_first:
            count_all(store, at_once=100)
        for by in (By.DAY, By.HOUR):
            look(store, period(by, zone, begin, begin + timedelta(days=3), NOW))


def test_what_is_read_otherwise_counts_as_what_it_is_now_whether_it_was_counted_or_not(store: Store) -> None:
    said = READING.delivery("+8613900000001", "10690", STOP_OR_NOT)
    assert said.kind is Kind.UNSUBSCRIBE
    replies = [
        Reply(UUID(int=earliest_id(NOW - timedelta(hours=hours)).int | 5), NOW - timedelta(hours=hours), Origin.PUSH,
              None, said)
        for hours in range(4)
    ]  # fmt: skip
    asked = period(By.HOUR, "UTC", NOW - timedelta(hours=6), NOW, NOW)
    add(store, replies)
    with store.writing() as connection:
        assert counts.count(connection, limit=2) == 2
    redecoding = Redecoding(store, READING)
    for each in replies:
        done = redecoding.one(each.id, Charset.UTF_8, actor="test")
        assert (done.before["kind"], done.after["kind"]) == (Kind.UNSUBSCRIBE, Kind.REPLY)
        look(store, asked)
    count_all(store)
    look(store, asked)
    with store.snapshot() as connection:
        assert statistics(connection, asked).total.unsubscribes == 0
    for each in replies:
        redecoding.one(each.id, Charset.GB18030, actor="test")
    look(store, asked)
    count_all(store)
    look(store, asked)
    with store.snapshot() as connection:
        assert statistics(connection, asked).total.replies == 0


def test_what_is_purged_or_erased_stays_counted_once_whether_it_was_counted_or_not(store: Store) -> None:
    dice = random.Random(2)
    replies = made(dice, 40)
    add(store, replies)
    with store.reading() as connection:
        before = connection.execute(select(messages.c.received_at, messages.c.service, messages.c.kind)).all()
    with store.writing() as connection:
        counts.count(connection, limit=20)
    purged = [each for each in replies if each.delivery.kind is Kind.REPLY][::2]
    with store.writing() as connection:
        assert purge_messages(connection, [each.id for each in purged]) == len(purged)
    for each in replies[::5]:
        if each not in purged:
            erase(store, each.delivery.src, region="CN", reason="asked for it", actor="test")

    def look_anew() -> None:
        for asked in every_period():
            with store.snapshot() as connection:
                assert counted(statistics(connection, asked)) == plainly(list(before), asked, None)

    look_anew()
    count_all(store)
    look_anew()
    assert len(rows(store, messages)) < 30


def test_a_step_that_breaks_off_has_counted_nothing(store: Store) -> None:
    add(store, made(random.Random(3), 30))

    class Killed(Exception):
        pass

    def broken() -> None:
        with store.writing() as connection:
            assert counts.count(connection, limit=10) == 10
            raise Killed

    for _ in range(3):
        with pytest.raises(Killed):
            broken()
        assert rows(store, message_counts) == []
        look_at_all(store)
    count_all(store)
    look_at_all(store)


def test_one_that_commits_late_is_counted_though_later_ones_were_before(postgresql_url: str) -> None:
    late_store = Store(postgresql_url)
    late_store.ensure_current()
    early, late = reply("early"), reply("late", "+8613900000002")
    now = early.received_at
    asked = period(By.DAY, "UTC", now - timedelta(days=2), now + timedelta(minutes=1), now)
    other = Store(postgresql_url)
    with late_store.writing() as slow:
        record(slow, [late], [], WINDOW)
        other.record([early], [], WINDOW)
        with other.writing() as connection:
            # It waits for the one that still runs.
            assert counts.count(connection, limit=10) == 0
        look(other, asked)
    count_all(other)
    look(other, asked)
    with other.reading() as connection:
        assert not counts.is_behind(connection)
    other.close()
    late_store.close()


def test_counts_hold_while_replies_come_are_counted_read_otherwise_and_purged_at_once(
    store: Store, database_url: str
) -> None:
    """Three count, one inserts, one reads again, one deletes; whoever looks meanwhile finds what is there."""
    gone: Gone = []
    failures: list[BaseException] = []
    inserted = threading.Event()
    stored: list[UUID] = []

    def with_own_store(work: Callable[[Store, random.Random], None], seed: int) -> threading.Thread:
        def run() -> None:
            own = Store(database_url)
            try:
                work(own, random.Random(seed))
            except BaseException as failure:
                failures.append(failure)
                inserted.set()
            finally:
                own.close()

        return threading.Thread(target=run)

    def insert(own: Store, dice: random.Random) -> None:
        for _ in range(40):
            replies = made(dice, 5)
            add(own, replies)
            stored.extend(each.id for each in replies)
        inserted.set()

    def until_inserted(work: Callable[[Store, random.Random], None]) -> Callable[[Store, random.Random], None]:
        def run(own: Store, dice: random.Random) -> None:
            while not inserted.is_set():
                began = time.monotonic()
                work(own, dice)
                # As the worker does it: SQLite's one writer is else in everybody's way until somebody gives up.
                inserted.wait(3 * (time.monotonic() - began))

        return run

    def count(own: Store, dice: random.Random) -> None:
        written(own, lambda connection: counts.count(connection, limit=dice.randrange(1, 9)))

    def read_otherwise(own: Store, dice: random.Random) -> None:
        if stored:
            charset = dice.choice([Charset.UTF_8, Charset.GB18030])
            with suppress(NoSuchMessage):  # it was purged meanwhile
                Redecoding(own, READING).one(dice.choice(stored), charset, actor="test")

    def purge(own: Store, dice: random.Random) -> None:
        chosen = [dice.choice(stored)] if stored and len(gone) < 60 else []

        def work(connection: Any) -> Gone:
            place = select(messages.c.received_at, messages.c.service, messages.c.kind)
            counts.hold(connection)
            known = connection.execute(place.where(messages.c.id.in_(chosen))).all()
            return [tuple(row) for row in known] if purge_messages(connection, chosen) else []

        if chosen:
            gone.extend(written(own, work))

    threads = [
        with_own_store(insert, 1),
        *(with_own_store(until_inserted(count), seed) for seed in (2, 3, 4)),
        with_own_store(until_inserted(read_otherwise), 5),
        with_own_store(until_inserted(purge), 6),
    ]
    asked = [period(By.DAY, "Asia/Kathmandu", SINCE, NOW, NOW), period(By.SERVICE, "UTC", SINCE, NOW, NOW)]
    for thread in threads:
        thread.start()
    while not inserted.is_set():
        # Of all that ever came in nothing is missing and nothing twice, as far as one moment can tell.
        with store.snapshot() as connection:
            told = statistics(connection, asked[0])
            there = connection.execute(select(messages.c.id)).all()
        assert told.total.replies + told.total.unsubscribes >= len(there)
        assert told.total.replies + told.total.unsubscribes <= 200
    for thread in threads:
        thread.join()
    assert failures == []
    for _ in range(2):
        for each in asked:
            look(store, each, None, gone)
        count_all(store, at_once=50)
    assert gone
    assert len(rows(store, messages)) + len(gone) == 200


def test_what_is_in_quarantine_is_counted_where_no_service_is_asked_for(store: Store) -> None:
    kept = [quarantined() for _ in range(3)]
    store.record([], kept, WINDOW)
    now = kept[0].received_at
    for by in (By.HOUR, By.DAY):
        asked = period(by, "Asia/Shanghai", now - timedelta(hours=3), now + timedelta(minutes=1), now)
        with store.snapshot() as connection:
            found, of_one = statistics(connection, asked), statistics(connection, asked, service="news")
        assert (found.total.quarantined, sum(each.quarantined or 0 for each in found.buckets)) == (3, 3)
        assert {each.quarantined for each in of_one.buckets} == {of_one.total.quarantined} == {None}
        assert (found.total.opt_out_rate, found.acknowledged) == (None, None)


def test_what_was_there_before_positions_were_is_counted_too(postgresql_url: str) -> None:
    store = Store(postgresql_url)
    store.ensure_current()
    add(store, made(random.Random(6), 30))
    with store.writing() as connection:
        connection.execute(
            messages.update().where(messages.c.received_at < NOW - timedelta(days=15)).values(position=0)
        )
    asked = period(By.DAY, "UTC", SINCE, NOW, NOW)
    for limit in (4, 4, 20):
        look(store, asked)
        with store.writing() as connection:
            counts.count(connection, limit=limit)
    count_all(store)
    look(store, asked)
    with store.reading() as connection:
        assert feed.after(connection, counts.hold(connection), [messages.c.id], limit=1) == []
    store.close()

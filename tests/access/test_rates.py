"""Rate limits: counted by all processes together, exceeded by none, and in nobody's way when they can't be counted."""

import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from limits import parse
from limits.strategies import FixedWindowRateLimiter

from receiver.access.rates import Policy, Rates, WindowStorage
from receiver.store.rate_windows import RateWindows
from receiver.store.store import Store

# Takes from a limit as fast as it can once it is told to, and prints how often it was let through.
TAKER = """
import sys
from receiver.access.rates import Policy, Rates
from receiver.store.rate_windows import RateWindows
rates = Rates(RateWindows(sys.argv[1]), {Policy.KEY: sys.argv[2]})
print("ready", flush=True)
sys.stdin.readline()
taken = [rates.take(Policy.KEY, "crm") for _ in range(int(sys.argv[3]))]
assert None not in taken
print(sum(not each.is_exceeded for each in taken))
"""


@pytest.fixture
def windows(database_url: str) -> Iterator[RateWindows]:
    opened = RateWindows(database_url)
    yield opened
    opened.close()


def test_several_processes_at_once_never_exceed_a_limit_and_use_it_up(windows: RateWindows, database_url: str) -> None:
    command = [sys.executable, "-c", TAKER, database_url, "500/hour", "200"]
    takers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for taker in takers:
        assert taker.stdout is not None
        assert taker.stdout.readline() == "ready\n"
    for taker in takers:
        assert taker.stdin is not None
        taker.stdin.write("go\n")
        taker.stdin.flush()
    assert sum(int(taker.communicate()[0]) for taker in takers) == 500


def test_threads_that_open_the_counters_at_the_same_moment_all_count(database_url: str, windows: RateWindows) -> None:
    opened = [RateWindows(database_url) for _ in range(8)]
    rates = [Rates(each, {Policy.KEY: "100/hour"}) for each in opened]
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda each: each.take(Policy.KEY, "crm"), rates))
    assert sorted(each.remaining for each in taken if each) == list(range(92, 100))
    for each in opened:
        each.close()


def test_keys_and_policies_are_counted_apart(windows: RateWindows) -> None:
    rates = Rates(windows, {Policy.KEY: "2/hour", Policy.ADDRESS: "3/hour"})

    def left(policy: Policy, who: str) -> int:
        standing = rates.take(policy, who)
        assert standing is not None
        return standing.remaining

    assert [left(Policy.KEY, "a"), left(Policy.KEY, "a"), left(Policy.KEY, "a")] == [1, 0, -1]
    assert left(Policy.KEY, "b") == 1
    assert left(Policy.ADDRESS, "a") == 2


def test_a_window_that_has_ended_begins_anew(windows: RateWindows) -> None:
    rates = Rates(windows, {Policy.KEY: "3/second"})
    deadline = time.monotonic() + 30
    while not (standing := rates.take(Policy.KEY, "crm")) or not standing.is_exceeded:
        assert time.monotonic() < deadline
    assert (standing.amount, standing.window, standing.seconds_left) == (3, 1, 1)
    while (standing := rates.take(Policy.KEY, "crm")) is None or standing.is_exceeded:
        assert time.monotonic() < deadline
    assert standing.remaining == 2


def test_what_is_off_is_not_counted(windows: RateWindows) -> None:
    assert Rates(windows, {Policy.KEY: "off"}).take(Policy.KEY, "crm") is None
    assert windows.forget() == 0


def test_ended_windows_are_taken_away_and_running_ones_stay(windows: RateWindows) -> None:
    windows.count("ended", 0)
    windows.count("running", 3600)
    assert windows.clean() == 1
    assert windows.look("running").count == 1
    # And by whoever counts, without being asked.
    windows.count("ended", 0)
    Rates(windows, {Policy.KEY: "5/hour"}).take(Policy.KEY, "crm")
    assert windows.clean() == 0


def test_counting_waits_for_no_writer_of_the_database(windows: RateWindows, database_url: str) -> None:
    rates = Rates(windows, {Policy.KEY: "5/hour"})
    store = Store(database_url, pooled=False)
    with store.writing():
        standing = rates.take(Policy.KEY, "crm")
    store.close()
    assert standing is not None
    assert standing.remaining == 4


def test_where_nothing_can_be_counted_nobody_is_held_up_and_the_log_says_so_once(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "receiver-limits.db").mkdir()
    rates = Rates(RateWindows(f"sqlite:///{tmp_path / 'receiver.db'}"), {Policy.KEY: "1/hour"})
    with caplog.at_level(logging.ERROR):
        assert [rates.take(Policy.KEY, "crm") for _ in range(3)] == [None] * 3
    (record,) = caplog.records
    assert record.getMessage().startswith("requests are not counted now, and no limit holds: ")


def test_the_same_where_the_server_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    rates = Rates(RateWindows("postgresql+psycopg://nobody@127.0.0.1:9/none"), {Policy.KEY: "1/hour"})
    assert [rates.take(Policy.KEY, "crm") for _ in range(2)] == [None] * 2
    assert len(caplog.records) == 1


def test_the_librarys_own_strategy_works_over_our_storage(windows: RateWindows) -> None:
    storage = WindowStorage(windows)
    limiter, item = FixedWindowRateLimiter(storage), parse("3/hour")
    assert storage.check()
    assert [limiter.hit(item, "crm") for _ in range(4)] == [True, True, True, False]
    assert not limiter.test(item, "crm")
    stats = limiter.get_window_stats(item, "crm")
    assert stats.remaining == 0
    assert 3500 < stats.reset_time - time.time() <= 3600
    limiter.clear(item, "crm")
    assert limiter.test(item, "crm")
    assert limiter.hit(item, "crm", cost=2)
    assert storage.reset() == 1
    assert limiter.get_window_stats(item, "crm").remaining == 3

"""A scrape says what there is at once: what fails or takes too long is left out, and nobody waits for it."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.core import Metric

from receiver import tally
from receiver.config import Settings
from receiver.intake.spool import spool_of
from receiver.metrics.machine import DAMAGED, FILES, READABLE, STOPS, machine
from receiver.metrics.scrape import Scrape, of_admin, of_callback
from receiver.metrics.within import Within
from receiver.store.store import Store
from receiver.tally import COMMIT_SECONDS, Role
from receiver.vocabulary import Reply
from tests.filled import Filled
from tests.intake.replies import reply
from tests.metrics.reading import values


def said(scrape: Scrape) -> dict[str, float]:
    return values(scrape.text())


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return Settings(database_url=database_url, data_dir=tmp_path)


def test_the_admin_role_tells_what_the_database_knows(settings: Settings, store: Store) -> None:
    filled = Filled(settings.url)
    filled.reply(b"src=13900000001&dst=1069&msg=0000")
    filled.store.close()
    found = said(of_admin(settings, store))
    assert found["receiver_database_up"] == 1
    assert (found["receiver_optouts"], found["receiver_ledger_events"], found["receiver_ledger_intact"]) == (1, 1, 1)
    assert found["receiver_backup_last_timestamp_seconds"] == 0
    assert found["receiver_task_begun{task=counts}"] == 0, "no worker has begun"
    assert abs(found["receiver_last_reply_timestamp_seconds"] - time.time()) < 60
    assert "receiver_silence_ratio" not in found, "of one day nothing is known"
    assert abs(found["receiver_clock_offset_seconds"]) < 60


@pytest.mark.parametrize("of", [of_admin, of_callback])
def test_a_database_that_is_away_is_told_of_with_all_the_rest(
    of: Callable[[Settings, Store], Scrape], tmp_path: Path
) -> None:
    away = Settings(database_url="postgresql+psycopg://receiver@127.0.0.1:9/x", data_dir=tmp_path)
    store = Store(away.url)
    found = said(of(away, store))
    store.close()
    assert found["receiver_database_up"] == 0
    assert "receiver_optouts" not in found
    assert found["receiver_disk_free_bytes"] > 0


def test_a_question_that_hangs_is_not_waited_for_and_not_asked_twice() -> None:
    asked: list[None] = []
    go_on = threading.Event()

    def ask() -> str:
        asked.append(None)
        go_on.wait()
        return "well"

    hanging = Within(ask, 0.05)
    assert [hanging.answer(), hanging.answer()] == [None, None]
    assert len(asked) == 1
    go_on.set()
    patient = Within(ask, 30)
    assert [patient.answer(), patient.answer()] == ["well", "well"]
    assert len(asked) == 3


def test_a_part_that_fails_is_left_out_and_logged_without_what_it_said(caplog: pytest.LogCaptureFixture) -> None:
    def failing() -> Iterator[Metric]:
        yield FILES.is_(1, "pushed")
        raise ValueError("13900000001")

    with caplog.at_level(logging.ERROR):
        found = said(Scrape(Role.CALLBACK, failing, lambda: [DAMAGED.is_(2, "pushed")]))
    assert (found["receiver_spool_files{spool=pushed}"], found["receiver_spool_damaged_files{spool=pushed}"]) == (1, 2)
    assert "a part of the metrics fails: ValueError" in caplog.text
    assert "13900000001" not in caplog.text


def test_a_histogram_is_cumulative_and_in_seconds() -> None:
    tally.begin()
    for nanoseconds in (400_000, 3_000_000, 60_000_000_000):
        COMMIT_SECONDS.of("database").observe(nanoseconds)
    found = said(Scrape(Role.CALLBACK))
    tally.begin()
    name = "receiver_commit_seconds"
    assert found[f"{name}_bucket{{into=database,le=0.0005}}"] == 1
    assert found[f"{name}_bucket{{into=database,le=0.005}}"] == 2
    assert found[f"{name}_bucket{{into=database,le=30.0}}"] == 2
    assert found[f"{name}_bucket{{into=database,le=+Inf}}"] == found[f"{name}_count{{into=database}}"] == 3
    assert found[f"{name}_sum{{into=database}}"] == pytest.approx(60.0034)


def test_the_spool_is_told_with_the_stops_in_it(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    spool = spool_of(settings)

    def told() -> dict[str, float]:
        return {sample.name: sample.value for metric in machine(settings) for sample in metric.samples}

    assert (told()[FILES.name], told()[STOPS.name], told()[READABLE.name]) == (0, 0, 1)
    kept: list[Reply] = [reply("hello"), reply("0000"), reply("0000")]
    spool.keep(kept)
    assert (told()[FILES.name], told()[STOPS.name]) == (1, 2)
    spool.seal()
    spool.folder.rename(tmp_path / "elsewhere")
    spool.folder.write_bytes(b"no folder")
    assert told()[READABLE.name] == 0
    assert STOPS.name not in told()

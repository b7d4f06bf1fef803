"""How long replies waited is written now and then, by a thread for which none waits and whose failures harm none."""

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from receiver.intake import Intake, Outcome, acknowledgements
from receiver.intake.acknowledgements import Acknowledgements
from receiver.store.errors import StoreError
from receiver.store.stats import statistics
from receiver.store.store import Store
from receiver.vocabulary.durations import Summary
from receiver.vocabulary.periods import By, hour_of, period
from tests.intake.replies import delivery, undeliverable
from tests.serving import Server


def measured(store: Store) -> Summary | None:
    now = datetime.now(UTC)
    with store.snapshot() as connection:
        return statistics(connection, period(By.DAY, "UTC", now - timedelta(days=2), now, now)).acknowledged


def test_each_reply_that_was_acknowledged_is_measured_by_every_process(
    store: Store, new_intake: Callable[..., Intake]
) -> None:
    for _ in range(2):
        intake = new_intake()
        for number in range(5):
            assert intake.accept(delivery(src=f"+861390000000{number}")) is Outcome.STORED
        intake.quarantine(undeliverable())
        assert intake.is_ready()
        intake.close()
    told = measured(store)
    assert told is not None
    assert told.count == 10
    assert 0 < told.p50 <= told.p95 <= told.p99 <= told.longest


def test_what_several_have_measured_in_several_hours_is_added_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Acknowledgements(store), Acknowledgements(store)
    for one in (first, second):
        one.note(0.002)
        one.note(0.040)
        one.flush()
    hour = hour_of(datetime.now(UTC))
    monkeypatch.setattr(acknowledgements, "hour_of", lambda _: hour - 3)
    first.flush()
    first.note(0.100)
    first.flush()
    told = measured(store)
    assert told is not None
    assert (told.count, told.longest) == (5, 100.0)
    assert 40.0 <= told.p50 <= 48.0
    with store.reading() as connection:
        assert connection.scalar(text("SELECT count(DISTINCT hour) FROM acknowledged")) == 2
    first.close()
    second.close()


def test_nothing_is_forgotten_while_the_database_is_away(tmp_path: Path) -> None:
    file, away = tmp_path / "receiver.db", tmp_path / "away.db"
    with closing(Store(f"sqlite:///{file}", pooled=False)) as store:
        store.ensure_current()
        account = Acknowledgements(store)
        account.note(0.003)
        file.rename(away)
        file.mkdir()
        for _ in range(2):
            with pytest.raises(StoreError):
                account.flush()
            account.note(0.003)
        file.rmdir()
        away.rename(file)
        account.close()
        told = measured(store)
    assert told is not None
    assert told.count == 3


def test_a_table_that_is_not_there_costs_no_reply_its_answer(
    store: Store, new_intake: Callable[..., Intake], caplog: pytest.LogCaptureFixture
) -> None:
    with store.writing() as connection:
        connection.execute(text("DROP TABLE acknowledged"))
    intake = new_intake()
    with caplog.at_level(logging.WARNING):
        assert intake.accept(delivery()) is Outcome.STORED
        intake.close()
    assert "how long answers took can't be written now" in caplog.text


def test_no_reply_goes_unanswered_where_there_is_no_thread_to_be_had(
    store: Store, new_intake: Callable[..., Intake], monkeypatch: pytest.MonkeyPatch
) -> None:
    intake = new_intake()
    assert intake.accept(delivery()) is Outcome.STORED  # has the committer running
    account = Acknowledgements(store)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        account.note(0.002)
    account.note(0.003)
    account.close()
    intake.close()
    told = measured(store)
    assert told is not None
    assert told.count == 3


def test_the_callback_writes_what_it_measured_before_it_ends(database_url: str, tmp_path: Path) -> None:
    with Server(database_url, tmp_path) as server:
        for number in range(3):
            assert server.get(f"/recv.asp?src=1390000000{number}&dst=1069&msg=hello") == b"0"
        assert server.get("/recv.asp?src=13900000009&msg=hello") == b"-1"
        assert server.terminate() == 0
    with closing(Store(database_url, pooled=False)) as store:
        told = measured(store)
    assert told is not None
    assert told.count == 3

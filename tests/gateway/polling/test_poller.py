"""The poller: nothing is asked for that can't be kept, nothing that was handed out is lost, and nobody is hurried."""

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from receiver.gateway.client import InDoubt, NotSent, Refusal, Unreadable
from receiver.gateway.polling import APART, SLACK, Became, CannotSpool, CannotStore, Drain, Poller, Spool
from receiver.gateway.polling import spool as module
from receiver.intake import Intake, Outcome
from receiver.store.store import Store
from receiver.store.tables import messages, optouts, quarantine
from receiver.vocabulary import Reading, new_id
from tests.gateway.polling.conftest import Time, Turn
from tests.gateway.polling.inbox import NOTHING, PAGE, Inbox, answer
from tests.intake.replies import rows

SAID = [answer(1), answer(2, b"0000", "13900000002"), answer(3, "要".encode("gbk"), "13900000003")]


def test_all_that_is_unread_is_pulled_at_the_gateways_pace(
    poller: Poller, inbox: Inbox, turn: Turn, time_: Time, store: Store, spool: Spool
) -> None:
    inbox.unread.extend(SAID)
    poller.run(turn, time_.wait, until_empty=True)
    assert [row.gateway_id for row in rows(store, messages)] == ["1", "2", "3"]
    assert [row.phone for row in rows(store, optouts)] == ["+8613900000002"]
    assert time_.waited == [APART] * 3
    assert poller.became == {Became.REPLY: 2, Became.UNSUBSCRIBE: 1}
    assert spool.waiting() == []


def test_the_rest_is_counted_from_the_answer_and_not_from_the_call(
    poller: Poller, inbox: Inbox, turn: Turn, time_: Time, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow() -> bytes:
        time_.now += 4.0  # the gateway takes its time
        return answer(1)

    real = Spool.keep

    def slow_disk(self: Spool, kept: Any) -> None:
        time_.now += 1.5
        real(self, kept)

    monkeypatch.setattr(Spool, "keep", slow_disk)
    inbox.unread.append(slow)
    poller.run(turn, time_.wait, until_empty=True)
    assert time_.waited == [APART - 1.5]


def test_what_another_poller_may_have_asked_is_waited_for_first(
    poller: Poller, inbox: Inbox, turn: Turn, time_: Time
) -> None:
    turn.resting = 3.25
    poller.run(turn, time_.wait, until_empty=True)
    assert time_.waited == [3.25]


def test_the_lease_outlasts_the_longest_call_and_the_rest_after_it(
    poller: Poller, inbox: Inbox, turn: Turn, time_: Time
) -> None:
    inbox.unread.append(answer(1))
    poller.run(turn, time_.wait, until_empty=True)
    # With the first the client may have to find out which method the gateway takes, in two more calls.
    assert turn.renewed == [(3 * inbox.timeout + APART + SLACK, False), (inbox.timeout + APART + SLACK, True)]


def test_who_was_held_up_after_the_lease_was_renewed_renews_it_again(
    poller: Poller, inbox: Inbox, turn: Turn, time_: Time
) -> None:
    def held_up() -> None:
        if len(turn.renewed) == 1:
            time_.now += 100.0
            assert inbox.calls == 0

    turn.meanwhile = held_up
    poller.run(turn, time_.wait, until_empty=True)
    assert (len(turn.renewed), inbox.calls) == (2, 1)


def test_a_lease_that_is_lost_means_no_call(poller: Poller, inbox: Inbox, turn: Turn, time_: Time) -> None:
    def lost() -> None:
        raise RuntimeError("lost")

    turn.meanwhile = lost
    with pytest.raises(RuntimeError):
        poller.run(turn, time_.wait)
    assert inbox.calls == 0


def test_told_to_stop_it_does_not_ask_again(poller: Poller, inbox: Inbox, turn: Turn, time_: Time) -> None:
    inbox.unread.extend(SAID)
    poller.run(turn, lambda seconds: time_.wait(seconds) or inbox.calls == 2)
    assert inbox.calls == 2
    assert len(inbox.unread) == 1


@pytest.mark.parametrize("failure", [NotSent("no route"), InDoubt("timeout"), Refusal(6003)])
def test_an_answer_that_is_none_ends_the_turn_and_leaves_no_file(
    failure: Exception, poller: Poller, inbox: Inbox, turn: Turn, time_: Time, spool: Spool, store: Store
) -> None:
    inbox.unread.append(failure)
    with pytest.raises(type(failure)):
        poller.run(turn, time_.wait)
    assert inbox.calls == 1
    assert spool.waiting() == []
    assert rows(store, quarantine) == []


def test_a_refusal_in_the_answer_ends_the_turn_and_is_not_kept(
    poller: Poller, inbox: Inbox, turn: Turn, time_: Time, spool: Spool, store: Store
) -> None:
    inbox.unread.append(b"id=0&err=wrong password&errid=6003&src=&msg=&dst=&time=")
    with pytest.raises(Refusal) as refused:
        poller.run(turn, time_.wait)
    assert refused.value.code == 6003
    assert rows(store, quarantine) == []


@pytest.mark.parametrize("failure", [PAGE, Unreadable("HTTP 500", PAGE)])
def test_an_answer_that_cant_be_read_is_kept_and_ends_the_turn(
    failure: bytes | Exception, poller: Poller, inbox: Inbox, turn: Turn, time_: Time, store: Store, spool: Spool
) -> None:
    for _ in range(3):
        inbox.unread.append(failure)
        with pytest.raises(Unreadable):
            poller.run(turn, time_.wait)
    assert [row.raw for row in rows(store, quarantine)] == [PAGE]
    assert spool.waiting() == []


def test_even_a_fault_of_ours_in_reading_loses_nothing(
    poller: Poller, inbox: Inbox, turn: Turn, time_: Time, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(_body: bytes, _charset: str, *, whole: bool) -> None:
        raise IndexError("a fault of ours")

    for name in ("poller", "says"):
        monkeypatch.setattr(f"receiver.gateway.polling.{name}.parse_reply", fault)
    inbox.unread.append(SAID[0])
    with pytest.raises(IndexError):
        poller.run(turn, time_.wait)
    assert [row.raw for row in rows(store, quarantine)] == [SAID[0]]


def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_with_a_full_disk_nothing_is_asked_for(
    poller: Poller, inbox: Inbox, turn: Turn, time_: Time, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox.unread.extend(SAID)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotSpool, match="No space left on device"):
        poller.run(turn, time_.wait)
    assert inbox.calls == 0
    monkeypatch.undo()
    poller.run(turn, time_.wait, until_empty=True)
    assert len(rows(store, messages)) == 3


def test_what_the_disk_cant_take_goes_straight_to_the_database_and_no_more_is_asked_for(
    poller: Poller, inbox: Inbox, turn: Turn, time_: Time, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def handed_out_as_the_disk_gets_full() -> bytes:
        monkeypatch.setattr(os, "fsync", full)
        return SAID[1]

    inbox.unread.extend([handed_out_as_the_disk_gets_full, SAID[0]])
    with pytest.raises(CannotSpool, match="No space left on device"):
        poller.run(turn, time_.wait)
    assert [row.gateway_id for row in rows(store, messages)] == ["2"]
    with pytest.raises(CannotSpool):
        poller.run(turn, time_.wait)
    assert inbox.calls == 1


def test_what_neither_disk_nor_database_take_is_held_until_one_of_them_does(
    poller: Poller, inbox: Inbox, turn: Turn, time_: Time, store: Store, intake: Intake,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def handed_out_as_all_fails() -> bytes:
        monkeypatch.setattr(os, "fsync", full)
        monkeypatch.setattr(intake, "store", lambda _: Outcome.UNAVAILABLE)
        return SAID[1]

    inbox.unread.extend([handed_out_as_all_fails])
    for _ in range(3):
        with pytest.raises(CannotSpool, match="in memory alone"):
            poller.run(turn, time_.wait)
    assert inbox.calls == 1
    monkeypatch.undo()
    poller.run(turn, time_.wait, until_empty=True)
    assert [row.gateway_id for row in rows(store, messages)] == ["2"]


def test_with_a_database_that_stores_nothing_nothing_is_asked_for(
    poller: Poller, inbox: Inbox, turn: Turn, time_: Time, store: Store, intake: Intake, spool: Spool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def handed_out_as_the_database_fails() -> bytes:
        monkeypatch.setattr(intake, "store", lambda _: Outcome.UNAVAILABLE)
        monkeypatch.setattr(intake, "is_ready", lambda: False)
        return SAID[0]

    inbox.unread.extend([handed_out_as_the_database_fails, SAID[1]])
    for _ in range(3):
        with pytest.raises(CannotStore):
            poller.run(turn, time_.wait)
    assert inbox.calls == 1
    assert len(spool.waiting()) == 1
    monkeypatch.undo()
    poller.run(turn, time_.wait, until_empty=True)
    assert [row.gateway_id for row in rows(store, messages)] == ["1", "2"]


class Killed(BaseException):
    """kill -9, as far as one process can do it to itself: nothing of ours catches it."""


def _kill_after(target: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = getattr(target, name)

    def last(*arguments: Any, **options: Any) -> Any:
        real(*arguments, **options)
        raise Killed

    monkeypatch.setattr(target, name, last)


def _kill_before(target: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise Killed

    monkeypatch.setattr(target, name, never)


CRASHES: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "after the temporary file was written": lambda patch: _kill_after(os, "write", patch),
    "after it was fsynced": lambda patch: _kill_after(module, "_write", patch),
    "before the room behind it was given back": lambda patch: _kill_before(os, "ftruncate", patch),
    "after it was renamed": lambda patch: _kill_after(os, "rename", patch),
    "before it was stored": lambda patch: _kill_before(Intake, "store", patch),
    "after it was stored": lambda patch: _kill_after(Intake, "store", patch),
    "before it was removed": lambda patch: _kill_before(Spool, "remove", patch),
    "after it was removed": lambda patch: _kill_after(Spool, "remove", patch),
}


@pytest.mark.parametrize("crash", CRASHES)
def test_a_crash_loses_nothing_and_doubles_nothing(
    crash: str, inbox: Inbox, turn: Turn, time_: Time, store: Store, intake: Intake, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def process() -> Poller:
        spool = Spool(tmp_path / "var")
        return Poller(inbox, spool, Drain(spool, intake, store, Reading()), account="d", charset="gbk", now=time_)

    def handed_out() -> bytes:
        CRASHES[crash](monkeypatch)
        return answer(2, b"0000", "13900000002")

    inbox.unread.extend([answer(1), handed_out, answer(3)])
    with pytest.raises(Killed):
        process().run(turn, time_.wait)
    assert inbox.calls == 2
    monkeypatch.undo()
    process().run(turn, time_.wait, until_empty=True)
    assert [row.gateway_id for row in rows(store, messages)] == ["1", "2", "3"]
    assert [row.phone for row in rows(store, optouts)] == ["+8613900000002"]
    assert list((tmp_path / "var/spool/poll").glob("[!.]*")) == []


def test_what_waits_for_a_person_in_the_spool_is_told(poller: Poller, spool: Spool) -> None:
    assert poller.told == "0 pulled since this poller started"
    spool.reserve()
    spool.release()
    for name in (f"{new_id()}.reply", f"{new_id()}.corrupt"):
        (spool.folder / name).touch()
    assert poller.told == (
        f"0 pulled since this poller started; 1 waiting in {spool.folder}; 1 corrupt in {spool.folder}"
    )


def test_logs_hold_no_phone_and_no_text(
    poller: Poller, inbox: Inbox, turn: Turn, time_: Time, caplog: pytest.LogCaptureFixture
) -> None:
    inbox.unread.extend([*SAID, NOTHING, InDoubt("no answer")])
    with caplog.at_level(logging.DEBUG), pytest.raises(InDoubt):
        poller.run(turn, time_.wait)
    assert "it is lost" in caplog.text
    for private in ("hello", "0000", "1390000", "要"):
        assert private not in caplog.text.replace(f"{0:04}:", "")

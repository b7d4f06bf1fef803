"""``receiver gateway poll``: replies pulled by hand, at the gateway's pace, by one at a time."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from receiver.gateway.polling import Poller
from receiver.store.tables import messages, optouts
from receiver.worker.lease import Leases
from tests.cli.conftest import Filled, Run, on_terminal
from tests.gateway.polling.inbox import HttpGateway, answer, http_gateway
from tests.intake.replies import rows
from tests.processes import Process


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpGateway]:
    with http_gateway() as gateway:
        monkeypatch.setenv("RECEIVER_GATEWAY_URL", gateway.url)
        monkeypatch.setenv("RECEIVER_GATEWAY_NAME", "demo")
        monkeypatch.setenv("RECEIVER_GATEWAY_PASSWORD", "secret-word")
        monkeypatch.setenv("RECEIVER_GATEWAY_TIMEOUT", "5")
        yield gateway


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway of ours, which may be asked twenty times a second."""
    assert Poller.__init__.__kwdefaults__ is not None
    monkeypatch.setitem(Poller.__init__.__kwdefaults__, "apart", 0.05)


@pytest.mark.usefixtures("_quick")
def test_all_that_is_unread_is_pulled_and_counted(gateway: HttpGateway, filled: Filled, run: Run) -> None:
    gateway.inbox.unread.extend([answer(1), answer(2, b"0000", "13900000002"), answer(3), b"<html>"])
    ran = run("gateway", "poll")
    assert ran.status == 3  # an answer that can't be read is none
    assert ran.out == "3 replies pulled, 1 of them unsubscribed, 1 quarantined\n"
    assert "secret-word" not in ran.err
    assert [row.gateway_id for row in rows(filled.store, messages)] == ["1", "2", "3"]
    assert [row.phone for row in rows(filled.store, optouts)] == ["+8613900000002"]
    gateway.inbox.unread.append(answer(4))
    ran = run("gateway", "poll")
    assert (ran.status, ran.out, ran.err) == (0, "1 reply pulled\n", "")
    ran = run("gateway", "poll")
    assert (ran.status, ran.out) == (0, "0 replies pulled\n")


@pytest.mark.usefixtures("_quick")
def test_what_a_crash_left_in_the_spool_is_stored_first(
    gateway: HttpGateway, sqlite: Filled, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.inbox.unread.append(answer(1))
    with monkeypatch.context() as patch:
        patch.setattr("receiver.gateway.polling.drain.Drain.take", _killed)
        assert run("gateway", "poll").err.strip() == "aborted"
    assert rows(sqlite.store, messages) == []
    # It died with the lease: as another process would, after the lease has run out.
    monkeypatch.setattr("receiver.worker.lease.View.holder", None)
    monkeypatch.setattr("receiver.worker.lease.Lease.rest", lambda _self, _apart: 0.0)
    assert run("gateway", "poll").out == "1 reply pulled\n"
    assert [row.gateway_id for row in rows(sqlite.store, messages)] == ["1"]


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_where_another_pulls_it_says_who_and_asks_for_nothing(gateway: HttpGateway, filled: Filled, run: Run) -> None:
    leases = Leases(filled.store)
    assert leases.claim("poll:demo", leases.look("poll:demo"), 100) is not None
    ran = run("gateway", "poll")
    assert ran.status == 1
    assert leases.holder in ran.err
    assert gateway.inbox.calls == 0


@pytest.mark.usefixtures("_quick")
def test_a_refusal_is_status_1_with_what_to_do(gateway: HttpGateway, sqlite: Filled, run: Run) -> None:
    gateway.inbox.unread.append(b"id=0&err=&src=&msg=&dst=&time=&errid=6012")
    ran = run("gateway", "poll")
    assert ran.status == 1
    assert "6012" in ran.err
    assert "address" in ran.err


@pytest.mark.usefixtures("_quick")
def test_a_gateway_that_is_down_is_status_3(gateway: HttpGateway, sqlite: Filled, run: Run) -> None:
    gateway.close()
    ran = run("gateway", "poll")
    assert ran.status == 3
    assert ran.err.startswith("Error: ")
    assert ran.err.count("\n") == 1


def test_without_a_database_it_is_status_3_and_nothing_is_read(gateway: HttpGateway, run: Run) -> None:
    gateway.inbox.unread.append(answer(1))
    ran = run("gateway", "poll")
    assert ran.status == 3
    assert gateway.inbox.calls == 0


def test_without_an_account_it_is_wrong_usage(sqlite: Filled, run: Run) -> None:
    ran = run("gateway", "poll")
    assert ran.status == 2
    assert "RECEIVER_GATEWAY_NAME" in ran.err


def test_a_spool_that_cant_be_written_is_status_3_and_nothing_is_read(
    gateway: HttpGateway, sqlite: Filled, run: Run, tmp_path: Path
) -> None:
    gateway.inbox.unread.append(answer(1))
    (tmp_path / "var").write_text("a file where the folder should be")
    ran = run("gateway", "poll")
    assert ran.status == 3
    assert "can't be written" in ran.err
    assert gateway.inbox.calls == 0


@pytest.mark.usefixtures("_quick")
def test_on_a_terminal_it_shows_how_far_it_is(gateway: HttpGateway, sqlite: Filled) -> None:
    gateway.inbox.unread.append(answer(1))
    # Another process, which keeps the real pace: one reply, and that there are no more.
    ran = on_terminal(["gateway", "poll"])
    assert ran.status == 0
    assert "1 reply pulled; the next call is in" in ran.out
    assert ran.out.endswith("1 reply pulled\n")


def test_ctrl_c_waits_for_the_answer_and_keeps_it(gateway: HttpGateway, sqlite: Filled, tmp_path: Path) -> None:
    gateway.inbox.unread.append(answer(1))
    gateway.may_answer.clear()
    process = Process(
        "receiver", "gateway", "poll", "--follow",
        cwd=tmp_path, env=os.environ.copy(), stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert gateway.asked.acquire(timeout=30)
    process.send_signal(signal.SIGINT)
    threading.Timer(0.3, gateway.may_answer.set).start()
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "1 reply pulled\n")
    assert [row.gateway_id for row in rows(sqlite.store, messages)] == ["1"]

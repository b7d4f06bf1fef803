"""Lists that people made: read row by row, checked whole, taken in steps that a kill can't spoil."""

import hashlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.event import listen, remove

from receiver.config import Settings
from receiver.optout import imports, subscribing
from receiver.optout.imports import OptoutImport, Taken
from receiver.optout.sheet import Rejected, Row, Sheet, SheetError
from receiver.optout.subscribing import SubscriptionImport, resume
from receiver.optout.verify import verify
from receiver.store import ledger, optouts, services, subscriptions
from receiver.store.store import Store
from receiver.worker.roster import Parts, chores
from tests.intake.replies import reply
from tests.processes import Process, run
from tests.store.test_record import WINDOW

HEADING = "phone,since,reason\n"


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "_LONGEST_PAUSE", 0)


def _file(directory: Path, content: str | bytes, name: str = "stops.csv") -> Path:
    path = directory / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def _phone(number: int) -> str:
    return f"1390000{number:04}"


def _rows(path: Path, *, plain: bool = False, needed: tuple[str, ...] = ("phone",)) -> list[Row]:
    with Sheet.opened(path, needed, plain=plain) as sheet:
        return list(sheet.rows())


READINGS = {
    "utf-8": "phone,reason\n13900000001,退订\n".encode(),
    "with a byte order mark": "phone,reason\n13900000001,退订\n".encode("utf-8-sig"),
    "gb18030": "phone,reason\n13900000001,退订\n".encode("gb18030"),
    "windows": b"phone,reason\r\n\r\n13900000001,\xe9\x80\x80\xe8\xae\xa2\r\n",
    "other order, other columns": "Name, Reason ,PHONE\n李,退订,13900000001".encode(),
    "semicolons": 'phone;reason\n13900000001;"退订"\n'.encode(),
    "tabs": "reason\tphone\n退订\t13900000001\n".encode(),
    "no end": "phone,reason\n13900000001,退订".encode(),
}


@pytest.mark.parametrize("content", READINGS.values(), ids=READINGS)
def test_a_list_is_read_however_it_was_saved(content: bytes, tmp_path: Path) -> None:
    [row] = _rows(_file(tmp_path, content))
    assert (row.values["phone"], row.values["reason"], row.problem) == ("13900000001", "退订", None)


def test_a_charset_is_the_whole_files_though_its_beginning_is_ascii(tmp_path: Path) -> None:
    content = b"phone,reason\n" + b"13900000001,x\n" * 100_000 + "13900000002,退订\n".encode("gb18030")
    assert _rows(_file(tmp_path, content))[-1].values["reason"] == "退订"


def test_a_plain_list_needs_no_heading(tmp_path: Path) -> None:
    rows = _rows(_file(tmp_path, "13900000001\n\n+86 139 0000 0002\n"), plain=True)
    assert [(row.number, row.values["phone"]) for row in rows] == [(1, "13900000001"), (3, "+86 139 0000 0002")]


UNUSABLE = {
    "no such column": (b"name,number\n1,2\n", "no column phone"),
    "no heading": (b"13900000001,news\n", "no column phone"),
    "a heading alone that is another": ("手机号\n13900000001\n".encode(), "no column phone"),
    "a column twice": (b"phone,phone\n1,2\n", "twice"),
    "a workbook": (b"PK\x03\x04...", "workbook"),
    "utf-16": ("phone\n1".encode("utf-16"), "UTF-16"),
    "bytes": (b"phone\n\0\0\n", "no text"),
    "nothing": (b"", "is empty"),
    "a byte order mark alone": (b"\xef\xbb\xbf", "is empty"),
    "empty lines": (b"\n ,,\r\n\n", "is empty"),
    "a heading alone": (b"phone,reason\n", "no row"),
    "a heading and empty lines": (b"phone,reason\n\n,\n", "no row"),
}


@pytest.mark.parametrize(("content", "why"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_is_no_list_is_refused_as_a_whole(content: bytes, why: str, tmp_path: Path) -> None:
    with pytest.raises(SheetError, match=why):
        _rows(_file(tmp_path, content), plain=True)


def test_a_quote_that_is_not_closed_swallows_no_other_row(tmp_path: Path) -> None:
    rows = _rows(_file(tmp_path, f'phone,reason\n13900000001,"oops\n13900000002,x\n{"9" * 200_000}\n13900000003,y\n'))
    assert [(row.number, row.problem is None) for row in rows] == [(2, False), (3, True), (4, False), (5, True)]


def test_a_list_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = _file(tmp_path, HEADING + "13900000001,,\n" * 5_000)
    with Sheet.opened(path, ["phone"]) as sheet:
        rows = sheet.rows()
        next(rows)
        with path.open("a") as more:
            more.write("13900000002,,\n")
        with pytest.raises(SheetError, match="changed"):
            list(rows)


def _import(store: Store, path: Path) -> tuple[list[Rejected], Taken]:
    with Sheet.opened(path, ["phone"], plain=True) as sheet:
        listed = OptoutImport(store, sheet, column="phone", region="CN", reason="hotline", actor="Li Na")
        return list(listed.check()), listed.take()


def test_each_bad_row_is_named_and_the_others_are_taken(store: Store, tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        HEADING + "13900000001,2025-06-03,by letter\n"  # 2
        "1.39E+10,,\n"  # 3
        "13900000002,3 June,\n"  # 4
        "13900000003,2999-01-01,\n"  # 5
        ",2025-06-03,\n"  # 6
        "13900000004,,a,b\n"  # 7
        "+86 139-0000-0001,,\n"  # 8: the first one again
        "13900000005,2025-06-03T08:00:00Z,\n",  # 9
    )
    bad, taken = _import(store, path)
    assert [row.line for row in bad] == [3, 4, 5, 6, 7]
    assert taken == Taken(2, 1)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with store.reading() as connection:
        [event] = ledger.of_phone(connection, "+8613900000001")
        [other] = ledger.of_phone(connection, "+8613900000005")
        [imported] = ledger.at(connection, [3]).values()
        row = optouts.suppressed(connection, ["+8613900000001"])["+8613900000001"]
    assert (event["type"], event["actor"]) == ("opted_out", "Li Na")
    import_id = event["detail"].pop("import_id")
    assert event["detail"] == {
        "source": "import",
        "reason": "by letter",
        "since": "2025-06-02T16:00:00.000000Z",
        "file": "stops.csv",
        "file_sha256": digest,
    }
    assert (other["detail"]["reason"], other["detail"]["since"]) == ("hotline", "2025-06-03T08:00:00.000000Z")
    assert (datetime.now(UTC) - event["at"]).total_seconds() < 60
    assert (row["source"], row["actor"], row["reason"]) == ("import", "Li Na", "by letter")
    assert (imported["type"], imported["phone"], imported["actor"]) == ("imported", None, "Li Na")
    assert imported["detail"] == {
        "import_id": import_id,
        "file": "stops.csv",
        "file_sha256": digest,
        "rows": 8,
        "new": 2,
        "already": 1,
        "rejected": 5,
        "reason": "hotline",
    }
    assert verify(store).ok


def test_who_is_opted_out_already_is_passed_over_without_an_event(store: Store, tmp_path: Path) -> None:
    path = _file(tmp_path, "\n".join(map(_phone, range(10))))
    assert _import(store, path)[1] == Taken(10, 0)
    assert _import(store, path)[1] == Taken(0, 10)
    with store.reading() as connection:
        assert ledger.count(connection) == 12  # ten opt-outs, two imports


def test_an_imported_stop_ends_the_phones_services(store: Store, tmp_path: Path) -> None:
    with store.writing() as connection:
        services.add(connection, "news", "News", datetime.now(UTC))
        subscriptions.subscribe(connection, "+8613900000001", "news", datetime.now(UTC))
    _import(store, _file(tmp_path, "13900000001"))
    with store.reading() as connection:
        assert subscriptions.count_active(connection) == 0
        kinds = [event["type"] for event in ledger.of_phone(connection, "+8613900000001")]
    assert kinds == ["opted_out", "service_cancelled"]


def test_a_killed_import_is_completed_by_the_next_and_nothing_is_done_twice(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    total = 10_000
    path = _file(tmp_path, "\n".join(map(_phone, range(total))))
    arguments = ["receiver", "optouts", "import", str(path), "--reason", "hotline", "--actor", "Li Na"]
    environment = {**os.environ, "RECEIVER_DATABASE_URL": database_url}
    process = Process(*arguments, env=environment, stdout=subprocess.DEVNULL, cwd=tmp_path, start_new_session=True)
    try:
        _wait_until(lambda: _opted_out(store) > 0, process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    before = _opted_out(store)
    assert 0 < before < total, "the kill came too late to be one amid the import"
    assert run(*arguments, env=environment, cwd=tmp_path).returncode == 0
    assert _opted_out(store) == total
    with store.reading() as connection:
        assert ledger.count(connection) == total + 1
        [imported] = ledger.at(connection, [total + 1]).values()
    assert (imported["detail"]["new"], imported["detail"]["already"]) == (total - before, before)
    assert verify(store).ok


def _wait_until(true: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _opted_out(store: Store) -> int:
    with store.reading() as connection:
        return optouts.count(connection)


def test_a_reply_that_says_stop_waits_for_no_import(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "_LONGEST_PAUSE", 0.5)
    path = _file(tmp_path, "\n".join(map(_phone, range(10_000))))
    importing = threading.Thread(target=_import, args=(store, path))
    importing.start()
    waits: list[float] = []
    while importing.is_alive():
        began = time.monotonic()
        store.record([reply("0000", f"+8615400000{len(waits):03}")], [], WINDOW)
        waits.append(time.monotonic() - began)
        time.sleep(0.05)
    importing.join()
    assert len(waits) > 5
    assert max(waits) < 3, waits
    assert _opted_out(store) == 10_000 + len(waits)
    assert verify(store).ok


def test_each_step_is_followed_by_a_pause_of_its_length(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(imports, "_LONGEST_PAUSE", 0.5)
    monkeypatch.setattr("receiver.optout.imports.time.sleep", pauses.append)
    for length, least in ((0.05, 0.05), (1.0, 0.5)):
        imports.in_turn(store, _wait, length)
        assert least <= pauses[-1] <= 0.5


def _wait(_connection: Any, seconds: float) -> None:
    threading.Event().wait(seconds)


@pytest.fixture
def news(store: Store) -> Store:
    with store.writing() as connection:
        services.add(connection, "news", "News", datetime.now(UTC))
    return store


def _active(store: Store) -> int:
    with store.reading() as connection:
        return subscriptions.count_active(connection)


def _subscribers(directory: Path, number: int) -> Path:
    return _file(directory, "phone,service,since\n" + "".join(f"{_phone(n)},news,2025-06-03\n" for n in range(number)))


def _staged(store: Store, sheet: Sheet) -> SubscriptionImport:
    wanted = SubscriptionImport(store, sheet, region="CN")
    assert not list(wanted.check())
    wanted.stage()
    return wanted


def test_subscriptions_count_once_they_are_taken_and_not_before(news: Store, tmp_path: Path) -> None:
    with Sheet.opened(_subscribers(tmp_path, 5_000), ["phone", "service"]) as sheet:
        wanted = _staged(news, sheet)
        assert (_active(news), wanted.staged) == (0, 5_000)
        assert wanted.take() == 5_000
        assert _active(news) == 5_000
        assert _staged(news, sheet).take() == 0
    with news.reading() as connection:
        [row] = subscriptions.of_phone(connection, "+8613900000007")
        assert not subscriptions.left_behind(connection, datetime(2999, 1, 1, tzinfo=UTC))
    assert row["since"] == datetime(2025, 6, 2, 16, tzinfo=UTC)


def test_rows_of_opted_out_phones_are_left_out_and_named(
    news: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribing, "_AT_ONCE", 2)
    for number in (1, 3, 4, 6):
        news.record([reply("0000", f"+86{_phone(number)}")], [], WINDOW)
    with Sheet.opened(_subscribers(tmp_path, 8), ["phone", "service"]) as sheet:
        wanted = _staged(news, sheet)
        assert [row.line for row in wanted.opted_out()] == [3, 5, 6, 8]
        news.record([reply("0000", f"+86{_phone(7)}")], [], WINDOW)  # too late to be named, and not too late
        assert wanted.take() == 3
    assert _active(news) == 3


@contextmanager
def _stop_amid_the_taking(database_url: str, phone: str) -> Iterator[None]:
    """``phone`` says stop when an import's rows are inserted and not committed; SQLite lets no one write then."""
    other = Store(database_url)

    def stop(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO subscriptions") and not database_url.startswith("sqlite"):
            other.record([reply("0000", phone)], [], WINDOW)

    listen(Engine, "after_cursor_execute", stop)
    try:
        yield
    finally:
        remove(Engine, "after_cursor_execute", stop)
        other.close()


def test_who_says_stop_while_an_import_is_taken_keeps_no_subscription(
    news: Store, database_url: str, tmp_path: Path
) -> None:
    stopped = f"+86{_phone(3)}"
    with Sheet.opened(_subscribers(tmp_path, 8), ["phone", "service"]) as sheet:
        wanted = _staged(news, sheet)
        with _stop_amid_the_taking(database_url, stopped):
            wanted.take()
    news.record([reply("0000", stopped)], [], WINDOW)
    assert _active(news) == 7
    with news.reading() as connection:
        events = [(said["type"], said["detail"].get("service")) for said in ledger.of_phone(connection, stopped)]
    assert ("service_cancelled", "news") in events
    assert verify(news).ok


def test_a_kill_after_an_import_was_taken_leaves_no_subscription_to_who_said_stop_meanwhile(
    news: Store, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = f"+86{_phone(3)}"
    with Sheet.opened(_subscribers(tmp_path, 8), ["phone", "service"]) as sheet:
        wanted = _staged(news, sheet)
        with monkeypatch.context() as killing, _stop_amid_the_taking(database_url, stopped):
            killing.setattr(subscriptions, "end_of_opted_out", _failing_after(0, subscriptions.end_of_opted_out))
            with pytest.raises(_Killed):
                wanted.take()
        with news.reading() as connection:
            assert subscriptions.page(connection, phone=stopped, limit=10) == []
        news.record([reply("0000", stopped)], [], WINDOW)
        assert _staged(news, sheet).take() == 7


def test_a_list_of_subscriptions_says_since_when_they_are_and_not_will_be(news: Store, tmp_path: Path) -> None:
    path = _file(tmp_path, f"phone,service,since\n{_phone(1)},news,2999-01-01\n{_phone(2)},news,2025-01-01\n")
    with Sheet.opened(path, ["phone", "service"]) as sheet:
        [bad] = SubscriptionImport(news, sheet, region="CN").check()
    assert (bad.line, bad.problem) == (2, "since lies in the future")


@pytest.mark.parametrize("by_a_worker", [False, True])
def test_an_import_that_was_killed_while_it_was_taken_is_completed_by_the_next_or_a_worker(
    by_a_worker: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "_SLICE", 10)
    store = Store(f"sqlite:///{tmp_path / 'receiver.db'}", pooled=False)
    store.upgrade("head")
    with store.writing() as connection:
        services.add(connection, "news", "News", datetime.now(UTC))
    taking = subscriptions.take_staged
    monkeypatch.setattr(subscriptions, "take_staged", _failing_after(2, taking))
    with Sheet.opened(_subscribers(tmp_path, 35), ["phone", "service"]) as sheet:
        wanted = _staged(store, sheet)
        with pytest.raises(_Killed):
            wanted.take()
        wanted.drop()
    assert _active(store) == 19  # lines 1 to 20, of which the first is the heading
    monkeypatch.setattr(subscriptions, "take_staged", taking)
    if by_a_worker:
        parts = Parts.of(Settings(data_dir=tmp_path), store)
        (chore,) = [chore for chore in chores(parts) if chore.name == "killed-imports"]
        chore.run()
        assert _active(store) == 19, "it may be one that runs now"
        monkeypatch.setattr(subscribing, "_UNDER_WAY", timedelta(0))
        chore.run()
        parts.intake.close()
    else:
        assert resume(store) == 16
    assert _active(store) == 35
    assert resume(store) == 0
    store.close()


def test_an_import_that_was_killed_before_it_counted_leaves_nothing(
    news: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sheet.opened(_subscribers(tmp_path, 30), ["phone", "service"]) as sheet:
        _staged(news, sheet)
    resume(news)  # it may be one that runs now
    with news.reading() as connection:
        [left] = subscriptions.left_behind(connection, datetime(2999, 1, 1, tzinfo=UTC))
    monkeypatch.setattr(subscribing, "_BROKEN_OFF_AFTER", -subscribing._BROKEN_OFF_AFTER)
    resume(news)
    with news.reading() as connection:
        assert not subscriptions.slices(connection, left)
    assert _active(news) == 0


class _Killed(Exception):
    pass


def _failing_after(calls: int, act: Callable[..., int]) -> Callable[..., int]:
    made = 0

    def counted(*arguments: Any, **named: Any) -> int:
        nonlocal made
        made += 1
        if made > calls:
            raise _Killed
        return act(*arguments, **named)

    return counted

"""Our own faults are answered -4, in the gateway's words: nothing was promised."""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from receiver.callback import views
from receiver.callback.access import Access
from receiver.intake import Intake, Outcome
from tests.callback.conftest import InProcess

Make = Callable[..., InProcess]
QUERY = b"src=13900003001&dst=10690001&msg=hello"


def fail(*_: Any, **__: Any) -> Any:
    raise RuntimeError("a fault of ours")


FAULTS = [
    (Intake, "accept", QUERY),
    (Intake, "quarantine", b"src=13900003001"),
    (views, "parse", QUERY),
    (views, "read_text", QUERY + b"&token=s3cret-token"),
    (Access, "source", QUERY),
    (Access, "allows", QUERY),
]


@pytest.mark.parametrize(("where", "what", "query"), FAULTS, ids=[what for _, what, _ in FAULTS])
def test_an_exception_of_ours_is_answered_minus_4(
    in_process: Make,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    where: Any,
    what: str,
    query: bytes,
) -> None:
    app = in_process(callback_token="s3cret-token")
    monkeypatch.setattr(where, what, fail)
    response = app.request(query, "/s3cret-token/recv.asp")
    assert (response.status_code, response.data) == (200, b"-4")
    assert (response.content_type, response.content_length) == ("text/plain", 2)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "13900003001" not in caplog.text
    assert "hello" not in caplog.text
    assert app.stored.messages() == []


OUTCOMES = [
    (Outcome.STORED, b"0"), (Outcome.QUARANTINED, b"-1"), (Outcome.UNAVAILABLE, b"-4"),
    (Outcome.BUSY, b"-4"), (Outcome.REFUSED, b"-4")]  # fmt: skip


@pytest.mark.parametrize(("outcome", "answer"), OUTCOMES)
def test_a_reply_is_answered_by_what_became_of_it(
    in_process: Make, monkeypatch: pytest.MonkeyPatch, outcome: Outcome, answer: bytes
) -> None:
    monkeypatch.setattr(Intake, "accept", lambda *_, **__: outcome)
    assert in_process().get(QUERY) == answer


@pytest.mark.parametrize("query", [b"src=13900003002", b"src=13900003003&dst=1&msg=" + b"x" * 9_000])
def test_what_can_not_even_be_kept_in_quarantine_is_answered_minus_4(
    in_process: Make, monkeypatch: pytest.MonkeyPatch, query: bytes
) -> None:
    monkeypatch.setattr(Intake, "quarantine", lambda *_, **__: Outcome.UNAVAILABLE)
    assert in_process().get(query) == b"-4"


def test_while_the_database_is_locked_the_spool_takes_over_in_time_and_all_is_stored_when_it_is_free(
    in_process: Make,
) -> None:
    app = in_process(ack_timeout=0.3)
    with contextlib.closing(sqlite3.connect(app.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert app.get(QUERY) == b"0"
        assert app.get(b"src=13900003004") == b"-1"
        assert app.request(b"", "/readyz").status_code == 200
        assert app.request(b"", "/healthz").status_code == 200
        assert time.monotonic() - began < 3
        assert app.stored.messages() == []
        other.execute("COMMIT")
    assert app.get(b"src=13900003005&dst=1&msg=a") == b"0"
    eventually(lambda: [row.src for row in app.stored.messages()] == ["+8613900003001", "+8613900003005"])
    assert [row.raw for row in app.stored.quarantined()] == [b"src=13900003004"]


def test_where_neither_database_nor_spool_takes_it_the_answer_is_minus_4(in_process: Make, tmp_path: Path) -> None:
    (tmp_path / "full").write_bytes(b"")
    app = in_process(ack_timeout=0.3, data_dir=tmp_path / "full")  # a file: no folder can be in it
    with contextlib.closing(sqlite3.connect(app.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert app.get(QUERY) == b"-4"
        assert app.get(b"src=13900003004") == b"-4"
        assert app.request(b"", "/readyz").status_code == 503
        other.execute("COMMIT")
    eventually(lambda: app.get(QUERY) == b"0")


def eventually(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_readiness_asks_the_database_and_liveness_does_not(in_process: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    app = in_process()
    assert [app.request(b"", path).status_code for path in ("/healthz", "/readyz")] == [200, 200]
    monkeypatch.setattr(Intake, "is_ready", lambda _: False)
    response = app.request(b"", "/readyz")
    assert (response.status_code, response.content_type) == (503, "text/plain")
    assert app.request(b"", "/healthz").status_code == 200


def test_a_path_of_ones_own_is_the_only_one(in_process: Make) -> None:
    app = in_process(callback_path="/sms/in")
    assert app.get(QUERY, path="/sms/in") == b"0"
    assert app.request(QUERY).status_code == 404


CHARSETS = [
    ("auto", b"%CD%A3", "停", "gb18030", False),
    ("gb18030", b"%CD%A3", "停", "gb18030", True),
    ("utf-8", b"%CD%A3", "\u0363", "utf-8", True),
    ("gb18030", b"%E4%BD%A0%E5%A5%BD", "浣犲ソ", "gb18030", True),
    ("utf-8", b"%C4%E3", "\ufffd\ufffd", "utf-8", False),
]


@pytest.mark.parametrize(("fixed", "wire", "text", "charset", "certain"), CHARSETS)
def test_the_charset_can_be_fixed(
    in_process: Make, fixed: str, wire: bytes, text: str, charset: str, certain: bool
) -> None:
    app = in_process(charset=fixed)
    assert app.get(b"src=13900003011&dst=1&msg=" + wire) == b"0"
    (row,) = app.stored.messages()
    assert (row.raw, row.text, row.charset, row.charset_certain) == (wire, text, charset, certain)


def test_further_keywords_unsubscribe(in_process: Make) -> None:
    app = in_process(unsubscribe_keywords=["退订", "TD"])
    for number, wire in enumerate([b"%CD%CB%B6%A9", b"td", b"0000", b"TDX"]):
        assert app.get(b"src=1390000302%d&dst=1&msg=%s" % (number, wire)) == b"0"
    assert [row.kind for row in app.stored.messages()] == ["unsubscribe"] * 3 + ["reply"]


def test_the_region_says_whose_numbers_come_bare(in_process: Make) -> None:
    app = in_process(default_region="HK")
    assert app.get(b"src=91234567&dst=1&msg=a") == b"0"
    assert app.stored.messages()[0].src == "+85291234567"


def test_duplicates_are_flagged_within_their_window_alone(in_process: Make) -> None:
    app = in_process(duplicate_window=0)
    assert [app.get(QUERY), app.get(QUERY)] == [b"0", b"0"]
    assert [row.duplicate_of for row in app.stored.messages()] == [None, None]

"""``receiver messages redecode``, and what ``show`` tells of earlier readings."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from receiver.optout.guard import blocked
from receiver.store.tables import audit, ledger, message_readings
from receiver.vocabulary import Charset, Origin, Reading, Reply, new_id
from tests.cli.conftest import WINDOW, Filled, Run, on_terminal
from tests.intake.replies import rows

LONG_AGO = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
HOSPITAL = "医院".encode("gbk")
LATE_STOP = b"%20" * 100 + "００００".encode("gbk")


def received(filled: Filled, raw: bytes, *, phone: str = "13912345678", at: datetime = LONG_AGO) -> UUID:
    """A reply that came in while the installation was set to UTF-8."""
    said = Reading(Charset.UTF_8).delivery(phone, "1069", raw)
    filled.store.record([Reply(made := new_id(), at, Origin.PUSH, "203.81.21.34", said)], [], WINDOW)
    return made


def test_one_reply_is_read_again_and_shown_before_and_after(filled: Filled, run: Run) -> None:
    message = received(filled, HOSPITAL)
    [before] = run("messages", "list").rows
    [row] = run("messages", "redecode", message, "--charset", "gb18030", "--actor", "li").rows
    assert (row["id"], row["changed"], row["stopped"]) == (str(message), True, None)
    assert (row["text_before"], row["text"]) == (before["text"], "医院")
    assert (row["charset_before"], row["charset"]) == ("utf-8", "gb18030")
    assert [(each["action"], each["actor"], each["via"], each["target"]) for each in rows(filled.store, audit)] == [
        ("message.redecoded", "li", "cli", str(message))
    ]
    [again] = run("messages", "redecode", message, "--charset", "gb18030", "--actor", "li").rows
    assert again["changed"] is False
    assert len(rows(filled.store, audit)) == 1


def test_show_tells_how_it_was_read_before(filled: Filled, run: Run) -> None:
    message = received(filled, HOSPITAL)
    [before] = run("messages", "show", message).rows
    assert before["earlier_readings"] == []
    run("messages", "redecode", message, "--charset", "gb18030", "--actor", "li")
    [after] = run("messages", "show", message).rows
    [earlier] = after["earlier_readings"]
    assert after["text"] == "医院"
    assert {name: earlier[name] for name in ("text", "charset", "charset_certain", "kind")} == {
        name: before[name] for name in ("text", "charset", "charset_certain", "kind")
    }
    assert earlier["actor"] == "li"
    table = run("messages", "show", message, "--format", "table").out
    assert f"until {earlier['at']}, changed by li: reply, utf-8: {before['text']}" in " ".join(table.split())


def test_an_unsubscribe_that_turns_up_is_honoured(filled: Filled, run: Run) -> None:
    message = received(filled, LATE_STOP)
    [row] = run("messages", "redecode", message, "--charset", "gb18030", "--dry-run").rows
    assert (row["kind_before"], row["kind"], row["stopped"]) == ("reply", "unsubscribe", None)
    assert [rows(filled.store, table) for table in (ledger, message_readings, audit)] == [[], [], []]
    [row] = run("messages", "redecode", message, "--charset", "gb18030").rows
    assert row["stopped"] == "opted_out"
    assert blocked(filled.store, ["13912345678"]).blocked
    [event] = rows(filled.store, ledger)
    assert (event["at"], event["message_id"]) == (LONG_AGO, message)


def test_all_that_match_are_read_again(filled: Filled, run: Run) -> None:
    wrong = [received(filled, HOSPITAL, at=LONG_AGO + timedelta(hours=hour)) for hour in range(5)]
    other = received(filled, HOSPITAL, phone="13800000001")
    received(filled, b"hello")
    asked = ["messages", "redecode", "--charset", "gb18030", "--src", "139 1234 5678"]
    dry = run(*asked, "--dry-run")
    assert [row["id"] for row in dry.rows] == [str(each) for each in wrong]
    done = run(*asked)
    assert done.rows == dry.rows
    assert run(*asked).rows == []
    assert [row["id"] for row in run("messages", "redecode", "--charset", "gb18030", "--all").rows] == [str(other)]
    assert len(rows(filled.store, message_readings)) == 6


@pytest.mark.parametrize("what", [[], ["--all", "--src", "13912345678"], [uuid4(), "--all"], [uuid4(), "--dst", "1"]])
def test_which_replies_must_be_said_in_one_way(what: list[object], sqlite: Filled, run: Run) -> None:
    wrong = run("messages", "redecode", "--charset", "auto", *what)
    assert wrong.status == 2
    assert "say which replies" in wrong.err


def test_what_is_not_there_and_no_charset_are_told(sqlite: Filled, run: Run) -> None:
    unknown = run("messages", "redecode", uuid4(), "--charset", "auto")
    assert (unknown.status, unknown.out) == (1, "")
    assert "no message has this id" in unknown.err
    assert run("messages", "redecode", "--all").status == 2
    assert run("messages", "redecode", "--all", "--charset", "big5").status == 2


def test_on_a_terminal_many_are_asked_about_first(sqlite: Filled) -> None:
    message = received(sqlite, HOSPITAL)
    asked = ["messages", "redecode", "--charset", "gb18030", "--all"]
    assert on_terminal(asked, answer="n\n").status == 1
    assert rows(sqlite.store, message_readings) == []
    done = on_terminal(asked, answer="y\n")
    assert done.status == 0
    assert "医院" in done.out
    assert "1 read again: 1 are read otherwise, 0 of them unsubscribes" in done.out
    assert [row["message_id"] for row in rows(sqlite.store, message_readings)] == [message]

"""``receiver quarantine``: what could not be accepted, and its way back."""

from datetime import UTC, datetime

import pytest

from receiver.vocabulary import Reason, new_id
from tests.cli.conftest import Filled, Run, on_terminal

SPOKEN = b"src=13912345678&dst=1069&msg=hello"
STOP = b"src=13800138000&dst=1069&msg=0000"


def test_a_list_hides_the_phone_and_what_was_said(filled: Filled, run: Run) -> None:
    kept = filled.kept(b"src=13912345678&msg=0000")
    [hidden] = run("quarantine", "list").rows
    assert hidden["unsubscribes"] == "+86139****5678"
    assert "raw" not in hidden
    assert hidden == hidden | {"id": str(kept), "reason": "missing-dst", "replayed_at": None, "message_id": None}
    assert hidden["size"] == len("src=13912345678&msg=0000")
    [shown] = run("quarantine", "list", "--reveal").rows
    assert shown["unsubscribes"] == "+8613912345678"
    assert shown["raw"] == "src=13912345678&msg=0000"


def test_show_says_how_to_see_what_was_said(filled: Filled, run: Run) -> None:
    kept = filled.kept(b"src=13912345678&msg=\xcd\xcb")
    assert run("quarantine", "show", kept).rows[0]["raw"] is None
    table = run("quarantine", "show", kept, "--format", "table")
    assert "--reveal" in table.out
    assert "13912345678" not in table.out
    [shown] = run("quarantine", "show", kept, "--reveal").rows
    assert shown["raw"] == r"src=13912345678&msg=\xcd\xcb"
    assert bytes.fromhex(shown["raw_hex"]) == b"src=13912345678&msg=\xcd\xcb"


def test_what_is_not_there_is_status_1(filled: Filled, run: Run) -> None:
    assert run("quarantine", "show", new_id()).status == 1
    ran = run("quarantine", "replay", new_id())
    assert (ran.status, ran.rows[0]["status"]) == (1, "not found")


def test_filters_choose(filled: Filled, run: Run) -> None:
    names = {
        str(filled.kept(b"src=1", peer="10.0.0.1", at=datetime(2025, 6, 1, tzinfo=UTC))): "A",
        str(filled.kept(b"dst=1", peer="10.0.0.2", at=datetime(2025, 6, 2, tzinfo=UTC))): "B",
        str(filled.kept(SPOKEN, reason=Reason.METHOD, at=datetime(2025, 6, 3, tzinfo=UTC))): "C",
    }
    run("quarantine", "replay", next(name for name in names if names[name] == "C"))
    for arguments, expected in [
        ([], "CBA"),
        (["--reason", "missing-src"], "B"),
        (["--peer", "10.0.0.1"], "A"),
        (["--since", "2025-06-02T08:00"], "CB"),
        (["--until", "2025-06-02T08:00"], "A"),
        (["--replayed"], "C"),
        (["--not-replayed"], "BA"),
        (["--limit", "1"], "C"),
        (["--after", next(iter(names))], ""),
    ]:
        found = [names[row["id"]] for row in run("quarantine", "list", *arguments).rows]
        assert "".join(found) == expected, arguments


def test_a_named_delivery_is_replayed_once(filled: Filled, run: Run) -> None:
    moment = datetime(2025, 6, 3, 9, 12, 5, tzinfo=UTC)
    kept = filled.kept(SPOKEN, reason=Reason.SOURCE, at=moment, peer="10.9.9.9")
    first = run("quarantine", "replay", kept)
    assert (first.status, first.rows[0]["status"]) == (0, "replayed")
    [message] = run("messages", "list", "--reveal").rows
    assert message["text"] == "hello"
    assert message["received_at"] == "2025-06-03T09:12:05.000000Z"
    assert message["origin"] == "push"
    [row] = run("quarantine", "list").rows
    assert row["message_id"] == message["id"]
    assert row["replayed_at"] is not None

    again = run("quarantine", "replay", kept)
    assert (again.status, again.rows[0]["status"]) == (1, "already replayed")
    assert len(run("messages", "list").rows) == 1


def test_what_still_cant_be_accepted_is_left_with_its_reason(filled: Filled, run: Run) -> None:
    bad = filled.kept(b"src=13912345678&msg=hi")
    large = filled.kept(SPOKEN + b"x" * 9000, reason=Reason.TOO_LARGE)
    good = filled.kept(SPOKEN, reason=Reason.METHOD)
    ran = run("quarantine", "replay", bad, large, good)
    assert ran.status == 1
    assert [row["status"] for row in ran.rows] == ["left", "left", "replayed"]
    assert ran.rows[0]["detail"] == "missing-dst: there is no parameter dst"
    assert ran.rows[1]["detail"].startswith("too-large")
    assert [row["id"] for row in run("quarantine", "list", "--not-replayed").rows] == [str(large), str(bad)]


def test_present_settings_decide(filled: Filled, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = filled.kept(b"src=13912345678&dst=1069&msg=%D2%BD", reason=Reason.METHOD)
    stop = filled.kept(b"src=13800138000&dst=1069&msg=TD", reason=Reason.METHOD)
    monkeypatch.setenv("RECEIVER_CHARSET", "utf-8")
    monkeypatch.setenv("RECEIVER_UNSUBSCRIBE_KEYWORDS", "td")
    assert run("quarantine", "replay", kept, stop).status == 0
    assert [(row["text"], row["kind"]) for row in run("messages", "list").rows] == [
        ("TD", "unsubscribe"),
        ("ҽ", "reply"),
    ]
    assert run("optouts", "check", "13800138000").status == 1


def test_what_was_pulled_is_read_as_an_answer_again(filled: Filled, run: Run) -> None:
    raw = b"id=9586&err=&src=13912345678&msg=100%25+1&dst=1069&time=202606031700"
    kept = filled.kept(raw, reason=Reason.UNREADABLE, peer=None)
    assert run("quarantine", "replay", kept).rows[0]["status"] == "replayed"
    [message] = run("messages", "list").rows
    assert (message["origin"], message["gateway_id"], message["text"]) == ("poll", "9586", "100%25+1")
    assert message["sent_at"].startswith("2026-06-03T09:00:00")
    left = filled.kept(b"<html>error</html>", reason=Reason.UNREADABLE, peer=None)
    assert run("quarantine", "replay", left).rows[0]["detail"].startswith("unreadable-answer: ")


@pytest.mark.parametrize("last", [b"src=13912345678", b"time=200505241713&dst=1069&src=13912345678"])
def test_what_was_pulled_and_may_be_cut_is_no_reply_when_read_again(filled: Filled, run: Run, last: bytes) -> None:
    kept = filled.kept(b"id=7&err=&dst=1069&msg=0000&" + last, reason=Reason.UNREADABLE, peer=None)
    ran = run("quarantine", "replay", kept)
    assert [row["status"] for row in ran.rows] == ["left"]
    assert "may be cut" in ran.rows[0]["detail"]
    assert run("optouts", "check", "13912345678").status == 0


def test_all_goes_oldest_first_and_flags_duplicates(filled: Filled, run: Run) -> None:
    kept = [str(filled.kept(SPOKEN, reason=Reason.METHOD)) for _ in range(3)]
    ran = run("quarantine", "replay", "--all")
    assert ran.status == 0
    assert [row["id"] for row in ran.rows] == kept
    assert [row["duplicate_of"] for row in ran.rows] == [None, kept[0], kept[0]]
    assert run("quarantine", "replay", "--all").rows == []


def test_all_goes_past_pages_of_what_cant_be_accepted(
    filled: Filled, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from receiver.cli import quarantine

    monkeypatch.setattr(quarantine, "_BATCH", 2)
    for _ in range(5):
        filled.kept(b"src=1")
    filled.kept(SPOKEN, reason=Reason.METHOD)
    ran = run("quarantine", "replay", "--all")
    assert ran.status == 0
    assert [row["status"] for row in ran.rows] == ["left"] * 5 + ["replayed"]


@pytest.mark.parametrize(
    ("arguments", "replayed"),
    [
        ([], "allowed method"),
        (["--peer", "10.9.9.9"], "stranger token"),
        (["--reason", "source-not-allowed"], "allowed stranger"),
    ],
    ids=["all", "peer", "reason"],
)
def test_strangers_are_replayed_where_someone_vouches_for_them(
    arguments: list[str], replayed: str, sqlite: Filled, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECEIVER_ALLOWED_SOURCES", "203.81.21.0/24")
    monkeypatch.setenv("RECEIVER_CALLBACK_TOKEN", "secret-token")
    for name, reason, peer in [
        ("allowed", Reason.SOURCE, "203.81.21.34"),
        ("stranger", Reason.SOURCE, "10.9.9.9"),
        ("token", Reason.TOKEN, "10.9.9.9"),
        ("guess", Reason.TOKEN, "203.81.21.34"),
        ("method", Reason.METHOD, "127.0.0.1"),
    ]:
        sqlite.kept(b"src=13800138000&dst=1069&msg=" + name.encode(), reason=reason, peer=peer)
    ran = run("quarantine", "replay", "--all", "--yes", *arguments)
    assert sorted(row["text"] for row in run("messages", "list").rows) == sorted(replayed.split())
    assert ("Left out: 3" in ran.err) is (not arguments)


@pytest.mark.parametrize("arguments", [[], ["--all", str(new_id())], [str(new_id()), "--peer", "10.0.0.1"], ["12"]])
def test_wrong_usage_is_status_2(arguments: list[str], sqlite: Filled, run: Run) -> None:
    assert run("quarantine", "replay", *arguments).status == 2


@pytest.mark.parametrize(("answer", "stored"), [("n\n", 0), ("y\n", 1)])
def test_a_terminal_is_asked_before_all(answer: str, stored: int, sqlite: Filled, run: Run) -> None:
    sqlite.kept(STOP, reason=Reason.METHOD)
    ran = on_terminal(["quarantine", "replay", "--all"], answer=answer)
    assert "Replay up to 1" in ran.out
    assert len(run("messages", "list").rows) == stored
    assert ran.status == (0 if stored else 1)


def test_a_terminal_is_not_asked_with_yes(sqlite: Filled, run: Run) -> None:
    sqlite.kept(STOP, reason=Reason.METHOD)
    said = on_terminal(["quarantine", "replay", "--all", "--yes"]).out
    assert "Replay up to" not in said
    assert "1 replayed" in said

"""``receiver gateway send``: who was reached, who was not and why, and an exit status that says which."""

import csv
import io
import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from receiver.gateway.sending import enqueue
from receiver.gateway.sending.retrying import written
from receiver.gateway.simulator.gateway import Account, Fault, Kind, Page, Rules, SimulatedGateway
from receiver.store import send_batches, tables
from receiver.store.errors import Unavailable
from receiver.store.store import Store
from receiver.vocabulary import new_id
from tests.cli.conftest import Filled, Ran, Run, on_terminal
from tests.gateway.client.wire import Answering, http
from tests.intake.replies import rows, verified_ledger
from tests.processes import Process
from tests.processes import run as run_apart
from tests.serving import free_port

pytestmark = pytest.mark.slow  # the whole file: it is begun with

TEXT = "明天停水"
SENDING = frozenset([Page.SEND])


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedGateway]:
    with SimulatedGateway(
        [Account("demo", "demo123", balance=100_000)], rules=Rules(forbidden_words=("彩票",))
    ) as gateway:
        at(gateway.url, monkeypatch)
        yield gateway


def at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECEIVER_GATEWAY_URL", url)
    monkeypatch.setenv("RECEIVER_GATEWAY_NAME", "demo")
    monkeypatch.setenv("RECEIVER_GATEWAY_PASSWORD", "demo123")
    monkeypatch.setenv("RECEIVER_GATEWAY_TIMEOUT", "2")


def outcomes(ran: Ran) -> dict[str, int]:
    return {row["status"]: row["people"] for row in ran.rows if row["kind"] == "outcome"}


def to(*phones: str) -> list[str]:
    return [word for phone in phones for word in ("--to", phone)]


def test_every_written_form_of_a_phone_gets_it_once(filled: Filled, run: Run, gateway: SimulatedGateway) -> None:
    ran = run("gateway", "send", "--text", TEXT, *to("+86 139-0000-0001", "13900000001", "008613900000001"))
    assert (ran.status, ran.err) == (0, "")
    assert outcomes(ran) == {"accepted": 1}
    assert [(sent.phone, sent.text) for sent in gateway.sent] == [("13900000001", TEXT)]


def test_who_is_opted_out_is_named_with_the_reason_and_not_texted(
    filled: Filled, run: Run, gateway: SimulatedGateway
) -> None:
    filled.reply(b"src=13900000002&dst=1069&msg=0000")
    ran = run("gateway", "send", "--text", TEXT, *to("13900000001", "139 0000 0002"), "--actor", "Li Na")
    assert ran.status == 1
    assert outcomes(ran) == {"accepted": 1, "blocked": 1}
    (blocked,) = [row for row in ran.rows if row["kind"] == "recipient"]
    assert (blocked["phone"], blocked["status"]) == ("+86139****0002", "blocked")
    assert "opted out since" in blocked["detail"]
    assert [sent.phone for sent in gateway.sent] == ["13900000001"]
    event = verified_ledger(filled.store)[-1]
    assert (event.type, event.actor, event.phone) == ("send_blocked", "Li Na", "+8613900000002")


def test_a_refusal_is_told_in_both_languages(sqlite: Filled, run: Run, gateway: SimulatedGateway) -> None:
    ran = run("gateway", "send", "--text", "买彩票", *to("13900000001"))
    assert ran.status == 1
    outcome, person = ran.rows
    assert (outcome["status"], outcome["code"], outcome["people"]) == ("refused", 6005, 1)
    assert "forbidden" in outcome["meaning"]
    assert any("\u4e00" <= char <= "\u9fff" for char in outcome["meaning_zh"])
    assert (person["phone"], person["code"]) == ("+86139****0001", 6005)
    shown = on_terminal(["gateway", "send", "--text", "买彩票", *to("13900000001")])
    assert shown.status == 1
    assert "6005" in shown.out
    assert outcome["meaning_zh"] in shown.out


def test_a_lost_answer_is_shown_as_in_doubt_until_somebody_settles_it(
    filled: Filled, run: Run, gateway: SimulatedGateway
) -> None:
    gateway.faults = [Fault(Kind.RESET, at=0, times=1, pages=SENDING)]
    ran = run("gateway", "send", "--text", TEXT, *to("13900000001", "13900000002"))
    assert ran.status == 1
    assert outcomes(ran) == {"in_doubt": 2}
    (listed,) = run("gateway", "sends", "list", "--in-doubt").rows
    assert (listed["in_doubt"], listed["accepted"]) == (2, 0)
    send_id = listed["id"]
    assert run("gateway", "sends", "resume", send_id).status == 1
    assert len(gateway.sent) == 2

    why = ("--reason", "the operator has them", "--actor", "Li Na")
    both = ("--phone", "139-0000-0001", "--phone", "13900000003")
    settled = run("gateway", "sends", "settle", send_id, "--as", "sent", *both, *why)
    assert (settled.status, "1 settled" in settled.err, "not in doubt" in settled.err) == (0, True, True)
    assert run("gateway", "sends", "settle", send_id, "--as", "not-sent", *why).status == 0
    again = run("gateway", "sends", "settle", send_id, "--as", "sent", *why)
    assert (again.status, len(again.err.splitlines())) == (1, 1)
    assert run("gateway", "sends", "list", "--in-doubt").rows == []
    shown = run("gateway", "sends", "show", send_id, "--reveal").rows
    assert [(row["phone"], row["status"], row["settled_by"], row["settled_reason"]) for row in shown] == [
        ("+8613900000001", "accepted", "Li Na", "the operator has them"),
        ("+8613900000002", "refused", "Li Na", "the operator has them"),
    ]
    assert len(gateway.sent) == 2


@pytest.mark.parametrize("command", ["list", "show", "settle"])
def test_a_batch_whose_process_died_is_in_doubt_for_whoever_looks(
    command: str, filled: Filled, run: Run, gateway: SimulatedGateway
) -> None:
    send_id = run("gateway", "send", "--text", TEXT, *to("13900000001"), "--queue").rows[0]["send"]
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    with filled.store.writing() as connection:
        assert send_batches.claim(connection, claim=uuid4(), now=datetime.now(UTC), lease_until=long_ago) is not None
    if command == "settle":
        assert run("gateway", "sends", "settle", send_id, "--as", "sent", "--reason", "x").status == 0
    elif command == "show":
        assert [row["status"] for row in run("gateway", "sends", "show", send_id).rows] == ["in_doubt"]
    else:
        assert [row["in_doubt"] for row in run("gateway", "sends", "list", "--in-doubt").rows] == [1]


def test_a_gateway_that_is_down_leaves_the_send_queued_to_be_resumed_or_cancelled(
    filled: Filled, run: Run, gateway: SimulatedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(f"http://127.0.0.1:{free_port()}/", monkeypatch)
    ran = run("gateway", "send", "--text", TEXT, *to("13900000001"))
    assert ran.status == 3
    assert outcomes(ran) == {"queued": 1}
    assert len(ran.err.splitlines()) == 1
    (listed,) = run("gateway", "sends", "list").rows
    assert f"resume {listed['id']}" in ran.err
    at(gateway.url, monkeypatch)
    assert run("gateway", "sends", "resume", listed["id"]).status == 0
    assert len(gateway.sent) == 1
    assert run("gateway", "sends", "cancel", listed["id"]).status == 1


def test_a_queued_send_is_left_to_the_worker_and_can_be_cancelled(
    filled: Filled, run: Run, gateway: SimulatedGateway
) -> None:
    ran = run("gateway", "send", "--text", TEXT, *to("13900000001"), "--queue")
    assert (ran.status, outcomes(ran)) == (0, {"queued": 1})
    send_id = ran.rows[0]["send"]
    cancelled = run("gateway", "sends", "cancel", send_id, "--actor", "Li Na", "--reason", "a slip")
    assert cancelled.status == 0
    (person,) = run("gateway", "sends", "show", send_id).rows
    assert (person["status"], person["settled_by"], person["settled_reason"]) == ("cancelled", "Li Na", "a slip")
    assert run("gateway", "sends", "resume", send_id).status == 1
    assert gateway.calls == []


def test_the_same_command_with_the_same_id_is_the_same_send(
    filled: Filled, run: Run, gateway: SimulatedGateway
) -> None:
    command = ("gateway", "send", "--text", TEXT, *to("13900000001"), "--id", new_id())
    first, again = run(*command), run(*command)
    assert (first.status, again.status, again.rows) == (0, 0, first.rows)
    assert len(gateway.sent) == 1
    other = run(*command, "--long")
    assert (other.status, other.out) == (2, "")
    assert "another send" in other.err
    assert run(*command[:-1], uuid4()).status == 2


def test_a_send_whose_commit_is_lost_is_told_with_its_id_and_what_to_do(
    filled: Filled, run: Run, gateway: SimulatedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []

    def lost(store: Store, work: Callable[[Any], Any]) -> None:
        calls.append(written(store, work) if not calls else None)
        raise Unavailable("it went away")

    monkeypatch.setattr(enqueue, "written", lost)
    monkeypatch.setattr(enqueue, "_FIND_OUT_WITHIN", timedelta(0))
    ran = run("gateway", "send", "--text", TEXT, *to("13900000001"))
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (3, "", 1)
    (send,) = rows(filled.store, tables.sends)
    assert f"receiver gateway sends show {send.id}" in ran.err
    assert f"--id {send.id}" in ran.err
    assert gateway.calls == []


def test_a_database_that_is_lost_before_the_commit_says_that_nobody_is_texted(
    sqlite: Filled, run: Run, gateway: SimulatedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise Unavailable("it went away")

    monkeypatch.setattr(enqueue, "written", gone)
    ran = run("gateway", "send", "--text", TEXT, *to("13900000001"))
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (3, "", 1)
    assert "nobody was texted" in ran.err


def test_a_time_is_handed_over_with_a_warning_or_held_without(
    sqlite: Filled, run: Run, gateway: SimulatedGateway
) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    ran = run("gateway", "send", "--text", TEXT, *to("13900000001"), "--at", tomorrow)
    assert (ran.status, len(gateway.sent)) == (0, 1)
    assert "--hold" in ran.err
    held = run("gateway", "send", "--text", TEXT, *to("13900000001"), "--at", tomorrow, "--hold")
    assert (held.status, held.err, outcomes(held)) == (0, "", {"queued": 1})
    assert run("gateway", "sends", "resume", held.rows[0]["send"]).status == 1
    assert len(gateway.sent) == 1


WRONG: list[tuple[tuple[str, ...], str]] = [
    (("--text", TEXT), "nobody to send to"),
    (("--text", TEXT, "--to", "13900000001", "--to", " "), "--to is empty"),
    (("--to", "13900000001"), "--text"),
    (("--text", "", "--to", "13900000001"), "empty"),
    (("--text", "x" * 61, "--to", "13900000001"), "61 characters"),
    (("--text", "x" * 61, "--to", "13900000001", "--to", "010-55500001"), "61 characters"),
    (("--text", "x" * 61, "--to", "010-55500001", "--long"), "mobiles only"),
    (("--text", TEXT, "--to", "12"), "no phone number"),
    (("--text", TEXT, "--to", "+85291234567"), "another country"),
    (("--text", TEXT, "--to", "13900000001", "--at", "2020-01-01T10:00"), "past"),
    (("--text", TEXT, "--to", "13900000001", "--at", "soon"), "no date"),
    (("--text", TEXT, "--to", "13900000001", "--hold"), "--at"),
    (("--text", TEXT, "--to", "13900000001", "--sender", "123456789"), "9 digits"),
    (("--text", TEXT, "--to", "13900000001", "--sender", "12", "--base", "1" * 15), "17 digits"),
    (("--text", TEXT, "--to", "13900000001", "--actor", "system"), "your own name"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG)
def test_what_the_gateway_would_refuse_or_cut_is_refused_before(
    arguments: tuple[str, ...], said: str, sqlite: Filled, run: Run, gateway: SimulatedGateway
) -> None:
    ran = run("gateway", "send", *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1
    assert "13900000001" not in ran.err
    assert gateway.calls == []
    assert rows(sqlite.store, tables.sends) == []


def test_a_dry_run_needs_no_gateway_and_keeps_nothing(filled: Filled, run: Run) -> None:
    filled.reply(b"src=13900000002&dst=1069&msg=0000")
    phones = to(*(f"1390000{number:04}" for number in range(1, 102)), "01055500001", "12")
    arguments = ("gateway", "send", "--text", "x" * 40, *phones, "--skip-invalid", "--dry-run")
    ran = run(*arguments)
    (plan,) = ran.rows
    assert ran.status == 0
    assert {name: plan[name] for name in ("recipients", "blocked", "invalid", "characters", "sms", "batches")} == {
        "recipients": 101, "blocked": 1, "invalid": 1, "characters": 40, "sms": 101, "batches": 3,
    }  # fmt: skip
    assert [(call["phones"], call["to"]) for call in plan["calls"]] == [(99, "mobiles"), (1, "mobiles"), (1, "PHS")]
    assert [row["status"] for row in plan["left_out"]] == ["blocked", "invalid"]
    assert plan["left_out"][0]["phone"] == "+86139****0002"
    assert rows(filled.store, tables.sends) == []
    assert [event.type for event in verified_ledger(filled.store)] == ["opted_out"]
    assert "mobiles" in on_terminal(arguments).out


def test_a_long_text_says_about_what_it_costs(sqlite: Filled, run: Run) -> None:
    arguments = ("gateway", "send", "--text", "x" * 200, *to("13900000001", "13900000002"), "--long", "--dry-run")
    assert run(*arguments).rows[0]["sms"] == 6
    assert "about 6" in on_terminal(arguments).out


def test_a_forbidden_text_is_not_sent_where_it_is_checked_first(
    sqlite: Filled, run: Run, gateway: SimulatedGateway
) -> None:
    ran = run("gateway", "send", "--text", "买彩票", *to("13900000001"), "--check")
    assert ran.status == 1
    assert "6005" in ran.err
    assert {call.page for call in gateway.calls} == {Page.CHECK}
    assert rows(sqlite.store, tables.sends) == []
    assert run("gateway", "send", "--text", TEXT, *to("13900000001"), "--check").status == 0


def test_what_the_gateway_says_of_a_forbidden_text_can_not_turn_the_line_around(
    sqlite: Filled, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Answering(http("errid=6005&err=a\u202eb".encode("gb18030"))) as server:
        at(server.url, monkeypatch)
        ran = run("gateway", "send", "--text", TEXT, *to("13900000001"), "--check")
    assert (ran.status, len(ran.err.splitlines())) == (1, 1)
    assert "a\\u202eb" in ran.err


LISTS = [
    ("lines", "13900000001\n+86 139-0000-0002\r\n\n", 2),
    ("CSV with a heading", "phone,name\n13900000001,Li\n13900000002,Wang\n", 2),
    ("semicolons", "手机号;姓名\n13900000001;李\n", 1),
    ("tabs", "13900000001\tLi\n13900000002\tWang\n", 2),
    ("quoted", '"13900000001","Li, Na"\n', 1),
    ("a byte order mark", "\ufeff13900000001\n", 1),
    ("a column that is not the first", "name,Phone\nLi,13900000001\n", 1),
    ("a heading alone in its line", "手机号\n13900000001\n", 1),
    ("old line ends", "phone,name\r13900000001,Li\r13900000002,Wang\r", 2),
    ("rows that a spreadsheet left empty", "phone,name\n13900000001,Li\n,\n\n,\n", 1),
]


@pytest.mark.parametrize("charset", ["utf-8", "gb18030"])
@pytest.mark.parametrize(("listed", "count"), [pytest.param(*case[1:], id=case[0]) for case in LISTS])
def test_recipients_come_from_a_file(
    listed: str, count: int, charset: str, sqlite: Filled, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "phones.csv").write_bytes(listed.encode(charset))
    (tmp_path / "text.txt").write_bytes(f"{TEXT}\r\n".encode(charset))
    ran = run("gateway", "send", "--text-file", "text.txt", "--to-file", "phones.csv", "--dry-run")
    assert (ran.status, ran.err) == (0, "")
    assert (ran.rows[0]["recipients"], ran.rows[0]["characters"]) == (count, len(TEXT))


BAD_LISTS = [
    ("a quote that is not closed", '13900000001\n"13900000002\n13900000003\n', "line 2", "quote"),
    ("a quote out of place", 'phone,name\n13900000001,"Li" Na\n', "line 2", "quote"),
    ("two phones in a line", "13900000001,13900000002\n", "line 1", "more than one phone"),
    ("an odd first line", "customers of June\n13900000001\n", "first line", "column phone"),
    ("two columns of phones", "phone,mobile\n13900000001,13900000002\n", "first line", "one column phone"),
    ("an empty cell", "phone,name\n13900000001,Li\n,Wang\n", "line 3", "no phone"),
    ("a short line", "name,phone\nLi,13900000001\nWang\n", "line 3", "no phone"),
    ("a line longer than its heading", "phone\n13900000001,13900000002\n", "line 2", "2 cells where the heading has 1"),
    ("a first line with an open quote", '"13900000001\n13900000002\n', "line 1", "quote"),
    ("a workbook", "PK\x03\x04xl/worksheets", "phones.csv", "workbook"),
    ("a NUL", "13900000001\x00\n", "phones.csv", "no text"),
]


@pytest.mark.parametrize(("listed", "where", "what"), [pytest.param(*case[1:], id=case[0]) for case in BAD_LISTS])
def test_no_line_of_a_list_is_passed_over(
    listed: str, where: str, what: str, sqlite: Filled, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "phones.csv").write_text(listed)
    ran = run("gateway", "send", "--text", TEXT, "--to-file", "phones.csv", "--dry-run")
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert where in ran.err
    assert what in ran.err
    assert "1390000" not in ran.err


def test_all_the_bad_lines_of_a_list_are_told_at_once(sqlite: Filled, run: Run, tmp_path: Path) -> None:
    (tmp_path / "phones.csv").write_text('phone,name\n13900000001,Li\n,Wang\n"13900000002,Wu\n13900000003,a,b\n')
    err = run("gateway", "send", "--text", TEXT, "--to-file", "phones.csv").err
    assert [f"line {number}" in err for number in range(1, 7)] == [False, False, True, True, True, False]
    (tmp_path / "phones.csv").write_text("phone,name\n" + ",Li\n" * 8)
    assert "and 3 more" in run("gateway", "send", "--text", TEXT, "--to-file", "phones.csv").err


def test_what_can_t_be_sent_to_is_named_with_its_line(
    sqlite: Filled, run: Run, gateway: SimulatedGateway, tmp_path: Path
) -> None:
    (tmp_path / "phones.csv").write_text("phone\n13900000001\n139000000020\n\n+85291234567\n")
    command = ("gateway", "send", "--text", TEXT, "--to", "12", "--to-file", "phones.csv")
    wrong = run(*command)
    assert (wrong.status, wrong.out) == (2, "")
    assert "** is no phone number, line 3: 1390****0020 is no phone number, line 5: +852****4567" in wrong.err
    (plan,) = run(*command, "--skip-invalid", "--dry-run").rows
    assert [row["detail"].partition(":")[0] for row in plan["left_out"]] == ["is no phone number", "line 3", "line 5"]
    sent = run(*command, "--skip-invalid")
    assert (sent.status, outcomes(sent)) == (0, {"accepted": 1})
    assert "line 3: 1390****0020" in sent.err


def test_recipients_come_from_a_pipe(sqlite: Filled, gateway: SimulatedGateway) -> None:
    command = ("gateway", "send", "--text", TEXT, "--to-file", "-", "--to", "15400000001")
    ran = run_apart("receiver", *command, input=b"13900000001\n15400000001\n")
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert sorted(sent.phone for sent in gateway.sent) == ["13900000001", "15400000001"]


def test_ctrl_c_lets_the_call_end_and_cancels_the_rest(
    sqlite: Filled, gateway: SimulatedGateway, tmp_path: Path
) -> None:
    (tmp_path / "phones.txt").write_text("\n".join(f"154{number:08}" for number in range(500)))
    gateway.faults = [Fault(Kind.SLOW, before=True, every=2, times=1, seconds=1)]
    command = ("receiver", "gateway", "send", "--text", TEXT, "--to-file", "phones.txt")
    with Process(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while len(gateway.sent) < 99:
            assert process.poll() is None
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 1
    assert b"Stopping after the call" in err
    told = Counter(
        {row["status"]: row["people"] for row in map(json.loads, out.splitlines()) if row["kind"] == "outcome"}
    )
    assert told.keys() == {"accepted", "cancelled"}
    assert told.total() == 500
    assert told["accepted"] == len(gateway.sent) < 500


def test_csv_has_the_same_rows(sqlite: Filled, run: Run, gateway: SimulatedGateway) -> None:
    sqlite.reply(b"src=13900000002&dst=1069&msg=0000")
    arguments = ("gateway", "send", "--text", TEXT, *to("13900000001", "13900000002"), "--format", "csv", "--reveal")
    read: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(run(*arguments).out)))
    assert [(row["kind"], row["status"], row["phone"], row["people"]) for row in read] == [
        ("outcome", "accepted", "", "1"),
        ("outcome", "blocked", "", "1"),
        ("recipient", "blocked", "+8613900000002", "1"),
    ]


def test_a_list_of_sends_goes_on_where_a_page_ended(sqlite: Filled, run: Run, gateway: SimulatedGateway) -> None:
    for number in range(3):
        run("gateway", "send", "--text", f"{TEXT} {number}", *to("13900000001"))
    page = run("gateway", "sends", "list", "--limit", "2").rows
    rest = run("gateway", "sends", "list", "--after", page[-1]["id"]).rows
    assert [row["text"] for row in [*page, *rest]] == [f"{TEXT} {number}" for number in (2, 1, 0)]
    assert run("gateway", "sends", "list", "--until", "2020-01-01").rows == []
    assert len(run("gateway", "sends", "list", "--since", "2020-01-01").rows) == 3
    listed = on_terminal(["gateway", "sends", "list"], columns=80).out
    assert all(row["id"] in listed for row in [*page, *rest])
    assert "1 accepted" in listed
    shown = on_terminal(["gateway", "sends", "show", page[0]["id"]]).out
    assert "+86139****0001" in shown
    assert "13900000001" not in shown


@pytest.mark.parametrize("command", ["show", "resume", "cancel", "settle"])
def test_a_send_that_is_not_there_is_status_1(
    command: str, sqlite: Filled, run: Run, gateway: SimulatedGateway
) -> None:
    more = ("--as", "sent", "--reason", "x") if command == "settle" else ()
    ran = run("gateway", "sends", command, "01973a5e-7d1c-7b3a-9c11-2f0c8f9a4d21", *more)
    assert (ran.status, len(ran.err.splitlines())) == (1, 1)
    assert "sends list" in ran.err


def test_the_gateway_in_settings_is_needed_to_send_and_not_to_plan(sqlite: Filled, run: Run) -> None:
    ran = run("gateway", "send", "--text", TEXT, *to("13900000001"))
    assert ran.status == 2
    assert "RECEIVER_GATEWAY_NAME" in ran.err
    assert rows(sqlite.store, tables.sends) == []
    assert run("gateway", "send", "--text", TEXT, *to("13900000001"), "--dry-run").status == 0

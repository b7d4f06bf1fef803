"""``receiver optouts list`` and ``check``."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from receiver.intake.spool import Limits, Spool
from tests.cli.conftest import Filled, Run, on_terminal
from tests.intake.replies import reply


@pytest.fixture
def stopped(filled: Filled) -> Filled:
    """One phone opted out, and a sender that is none."""
    filled.reply(b"src=8613912345678&dst=1069&msg=0000", at=datetime(2025, 6, 3, 9, 12, 5, tzinfo=UTC))
    filled.reply(b"src=SHOP&dst=1069&msg=0000", at=datetime(2025, 6, 4, tzinfo=UTC))
    return filled


@pytest.mark.parametrize("written", ["13912345678", "8613912345678", "+86 139-1234-5678", "008613912345678", "SHOP"])
def test_a_blocked_phone_in_any_form_is_status_1(written: str, stopped: Filled, run: Run) -> None:
    ran = run("optouts", "check", written)
    assert ran.status == 1
    [row] = ran.rows
    assert list(row) == ["phone", "identity", "status", "since"]
    assert (row["phone"], row["status"]) == (written, "blocked")


CHECKS = [
    (["13800138000"], ["allowed"], 0),
    (["13800138000", "13912345678"], ["allowed", "blocked"], 1),
    (["12", "13912345678"], ["invalid", "blocked"], 1),
    (["12", "13800138000"], ["invalid", "allowed"], 2),
    (["5678"], ["invalid"], 2),
]


def test_the_status_tells_the_worst(stopped: Filled, run: Run) -> None:
    for phones, statuses, status in CHECKS:
        ran = run("optouts", "check", *phones)
        assert ([row["status"] for row in ran.rows], ran.status) == (statuses, status), phones
    assert run("optouts", "check", "13912345678").rows[0]["since"] == "2025-06-03T09:12:05.000000Z"
    assert run("optouts", "check", "13912345678").rows[0]["identity"] == "+8613912345678"


def test_while_a_stop_waits_in_the_spool_nobody_is_allowed(
    stopped: Filled, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RECEIVER_DATA_DIR", str(tmp_path / "data"))
    spool = Spool(tmp_path / "data", Limits.of_megabytes(10, 0))
    spool.keep([reply("hello"), reply("0000", src="+8613800138000")])
    for phones, statuses, status in (
        (["13800138000"], ["held"], 3),
        (["13800138000", "12"], ["held", "invalid"], 3),
        (["13800138000", "13912345678"], ["held", "blocked"], 1),
    ):
        ran = run("optouts", "check", *phones)
        assert ([row["status"] for row in ran.rows], ran.status) == (statuses, status), phones
        assert "nobody may be texted now: 2 replies wait in this machine's spool" in ran.err
    spool.seal()
    run("spool", "drain")
    ran = run("optouts", "check", "13800138000")
    assert ([row["status"] for row in ran.rows], ran.status, ran.err) == (["blocked"], 1, "")


def test_phones_come_from_standard_input_too(stopped: Filled, run: Run) -> None:
    ran = run("optouts", "check", "13800138000", "-", stdin="139 1234 5678\n\n  12\n")
    assert [(row["phone"], row["status"]) for row in ran.rows] == [
        ("13800138000", "allowed"),
        ("139 1234 5678", "blocked"),
        ("12", "invalid"),
    ]
    assert ran.status == 1


def test_thousands_are_checked(stopped: Filled, run: Run) -> None:
    phones = [f"138{number:08}" for number in range(2_500)]
    ran = run("optouts", "check", "-", stdin="\n".join([*phones, "13912345678"]))
    assert [row["status"] for row in ran.rows] == ["allowed"] * 2_500 + ["blocked"]


def test_no_phone_is_wrong_usage(sqlite: Filled, run: Run) -> None:
    assert run("optouts", "check").status == 2


@pytest.mark.parametrize("stdin", ["", "\n  \n"])
@pytest.mark.parametrize("act", [["check"], ["check", "--format", "csv"], ["add", "--reason", "x", "--actor", "Li Na"]])
def test_an_empty_standard_input_is_wrong_usage(act: list[str], stdin: str, sqlite: Filled, run: Run) -> None:
    ran = run("optouts", *act, "-", stdin=stdin)
    assert (ran.status, ran.out) == (2, "")
    assert "no phone in standard input" in ran.err


def test_a_list_is_masked_unless_revealed(stopped: Filled, run: Run) -> None:
    assert [row["phone"] for row in run("optouts", "list").rows] == ["S**P", "+86139****5678"]
    shown = run("optouts", "list", "--reveal", "--since", "2025-06-03", "--until", "2025-06-04").rows
    assert [row["phone"] for row in shown] == ["+8613912345678"]
    assert shown[0]["source"] == "sms"


def test_pages_neither_skip_nor_repeat_though_many_stopped_at_one_moment(sqlite: Filled) -> None:
    moment = datetime(2025, 6, 3, tzinfo=UTC)
    for number in range(5):
        sqlite.reply(b"src=1390000000%d&dst=1069&msg=0000" % number, at=moment)
    sqlite.reply(b"src=13900000009&dst=1069&msg=0000", at=datetime(2025, 6, 2, tzinfo=UTC))
    walked = []
    after: list[str] = []
    for _ in range(3):
        said = on_terminal(["optouts", "list", "--limit", "2", "--reveal", "--format", "csv", *after]).out
        walked += [line.partition(",")[0] for line in said.splitlines() if line.startswith("+86")]
        if "--after " in said:
            after = ["--after", said.partition("--after ")[2].split()[0].removesuffix("\x1b[0m")]
            assert "13900000" not in after[1]
    assert walked == [f"+86139000000{number:02}" for number in (0, 1, 2, 3, 4, 9)]


@pytest.mark.parametrize("cursor", ["", "x", "2025-06-03", "2025-06-03T00:00:00Z", "2025-06-03T00:00:00Z+x"])
def test_what_is_no_cursor_is_wrong_usage(cursor: str, sqlite: Filled, run: Run) -> None:
    assert run("optouts", "list", "--after", cursor).status == 2

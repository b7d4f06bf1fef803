"""``receiver optouts import`` and ``export``."""

import csv
import stat
from hashlib import sha256
from pathlib import Path

import pytest

from receiver.store import ledger
from tests.cli.conftest import Filled, Run, on_terminal

WHY = ("--reason", "hotline", "--actor", "Li Na")


def _blocked(run: Run) -> set[str]:
    return {row["phone"] for row in run("optouts", "list", "--reveal", "--limit", "500").rows}


def test_a_list_with_bad_rows_is_not_imported_unless_they_may_be_left_out(
    filled: Filled, run: Run, tmp_path: Path
) -> None:
    Path("名单.csv").write_bytes("姓名,手机号\n李娜,13900000001\n=cmd,12\n王,13900000002\n".encode("gb18030"))
    command = ("optouts", "import", "名单.csv", *WHY, "--column", "手机号")
    refused = run(*command)
    assert refused.status == 1
    assert len(refused.err.splitlines()) == 1
    assert "1 of 3 rows" in refused.err
    assert "--skip-bad" in refused.err
    assert _blocked(run) == set()
    kept = tmp_path / "名单.csv.rejected.csv"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with kept.open(encoding="utf-8-sig", newline="") as file:
        heading, row = csv.reader(file)
    assert heading == ["line", "problem", "姓名", "手机号"]
    assert row == ["3", "is no phone number: write it like 13912345678 or +8613912345678", "'=cmd", "12"]

    done = run(*command, "--skip-bad")
    assert done.status == 0
    [counts] = done.rows
    assert (counts["rows"], counts["new"], counts["already"], counts["rejected"]) == (3, 2, 0, 1)
    assert _blocked(run) == {"+8613900000001", "+8613900000002"}
    assert run("optouts", "verify").status == 0


def test_what_was_kept_aside_can_be_corrected_and_imported(sqlite: Filled, run: Run) -> None:
    Path("plain.txt").write_text("13900000001\n1390000000x\n")
    assert run("optouts", "import", "plain.txt", *WHY, "--skip-bad").status == 0
    kept = Path("plain.txt.rejected.csv")
    kept.write_text(kept.read_text().replace("1390000000x", "13900000002"))
    assert run("optouts", "import", kept, *WHY).rows[0]["new"] == 1
    assert _blocked(run) == {"+8613900000001", "+8613900000002"}
    assert not Path("plain.txt.rejected.csv.rejected.csv").exists()


def test_an_import_that_rejects_no_row_leaves_no_rejected_ones_of_an_earlier_one(sqlite: Filled, run: Run) -> None:
    listed, kept = Path("list.csv"), Path("list.csv.rejected.csv")
    listed.write_text("phone\n13900000001\n12\n")
    assert run("optouts", "import", listed, *WHY, "--skip-bad").status == 0
    assert kept.exists()
    listed.write_text("phone\n")
    assert run("optouts", "import", listed, *WHY).status == 1
    assert kept.exists()
    listed.write_text("phone\n13900000001\n13900000002\n")
    assert run("optouts", "import", listed, *WHY).rows[0]["rejected_file"] is None
    assert not kept.exists()


def test_an_import_counts_though_what_an_earlier_one_kept_cant_be_removed(sqlite: Filled, run: Run) -> None:
    Path("list.csv").write_text("phone\n13900000001\n")
    Path("list.csv.rejected.csv").mkdir()
    done = run("optouts", "import", "list.csv", *WHY)
    assert (done.status, done.rows[0]["new"]) == (0, 1)
    assert len(done.err.splitlines()) == 1
    assert "of an earlier import" in done.err


@pytest.mark.parametrize("content", ["name\nLi\n", "a,b\n1,2\n", "PK\x03\x04", "", "phone\n"])
def test_a_file_that_is_no_list_is_refused_in_one_line(content: str, sqlite: Filled, run: Run) -> None:
    Path("list.csv").write_text(content)
    ran = run("optouts", "import", "list.csv", *WHY)
    assert ran.status == 1
    assert len(ran.err.splitlines()) == 1


def test_an_import_of_no_file_is_wrong_usage(sqlite: Filled, run: Run) -> None:
    assert run("optouts", "import", "nowhere.csv", *WHY).status == 2


@pytest.fixture
def stopped(filled: Filled) -> Filled:
    filled.reply(b"src=13900000001&dst=1069&msg=0000")
    filled.reply(b"src=%2B85251234567&dst=1069&msg=0000")
    return filled


def _exports(filled: Filled) -> int:
    with filled.store.reading() as connection:
        return sum(event.type == "exported" for event in ledger.stream(connection))


def test_an_export_has_every_phone_whole_and_is_an_event(stopped: Filled, run: Run) -> None:
    ran = run("optouts", "export", "--actor", "Li Na", "--format", "jsonl")
    assert [row["phone"] for row in ran.rows] == ["+85251234567", "+8613900000001"]
    assert list(ran.rows[0]) == ["phone", "since", "source"]
    national = run("optouts", "export", "--actor", "Li Na", "--format", "jsonl", "--form", "national")
    assert [row["phone"] for row in national.rows] == ["+85251234567", "13900000001"]
    hashed = run("optouts", "export", "--actor", "Li Na", "--hashed", "-o", "hashed.csv")
    assert (hashed.status, hashed.out) == (0, "")
    written = Path("hashed.csv").read_bytes()
    assert sha256(b"+8613900000001").hexdigest().encode() in written
    assert b"13900000" not in written.replace(sha256(b"+8613900000001").hexdigest().encode(), b"")
    assert written.startswith(b"\xef\xbb\xbfphone_sha256,since,source\r\n")
    assert _exports(stopped) == 3
    assert run("optouts", "verify").status == 0


def test_an_export_that_is_refused_is_no_event(stopped: Filled, run: Run) -> None:
    Path("there.csv").touch()
    assert run("optouts", "export", "--actor", "Li Na", "-o", "there.csv").status == 1
    assert run("optouts", "export").status == 2
    assert run("optouts", "export", "--actor", "Li Na", "--hashed", "--form", "national").status == 2
    assert _exports(stopped) == 0


def test_a_terminal_sees_how_far_it_is_and_what_became(sqlite: Filled) -> None:
    Path("list.csv").write_text("phone\n13900000001\n")
    said = on_terminal(["optouts", "import", "list.csv", *WHY]).out
    assert "opted out" in said

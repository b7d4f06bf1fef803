"""``receiver optouts proof`` and ``check-proof``: files, statuses, and what is refused."""

import json
import logging
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from receiver import cli
from receiver.optout.register import Register
from receiver.store.store import Store
from receiver.vocabulary.proof import fingerprint
from tests.cli.conftest import on_terminal
from tests.intake.replies import reply
from tests.store.test_record import WINDOW

PHONE = "+8613900000001"


@dataclass(frozen=True)
class Ran:
    returncode: int
    stdout: bytes
    stderr: bytes


Run = Callable[..., Ran]


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """``receiver optouts …`` over a database with one stop that was lifted."""
    monkeypatch.setenv("RECEIVER_DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    store = Store(database_url, pooled=False)
    store.record([reply("0000", PHONE), reply("0000", "+8613900000002")], [], WINDOW)
    Register(store).lift(PHONE, reason="来电要求", actor="li.na")

    def run(*arguments: object, stdin: bytes = b"") -> Ran:
        ran = CliRunner().invoke(cli.command, ["optouts", *map(str, arguments)], input=stdin)
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
        return Ran(ran.exit_code, ran.stdout_bytes, ran.stderr_bytes)

    yield run
    store.close()
    root.handlers[:], root.level = handlers, level


@pytest.mark.parametrize("kind", ["json", "html", "pdf"])
def test_a_proof_in_any_format_can_be_checked(kind: str, run: Run) -> None:
    file = Path(f"proof.{kind}")
    assert run("proof", "139 0000 0001", "--format", kind, "-o", file).returncode == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    checked = run("check-proof", file)
    assert checked.returncode == 0, checked.stderr
    assert PHONE.encode() in checked.stdout
    assert run("check-proof", "-", stdin=run("proof", PHONE, "--format", kind).stdout).returncode == 0


def test_a_file_is_replaced_only_by_force(run: Run) -> None:
    assert run("proof", PHONE, "-o", "p.json").returncode == 0
    refused = run("proof", PHONE, "-o", "p.json")
    assert (refused.returncode, b"--force" in refused.stderr) == (1, True)
    assert run("proof", PHONE, "-o", "p.json", "--force").returncode == 0


def test_of_a_stranger_nothing_is_known(run: Run) -> None:
    ran = run("proof", "13900000009", "-o", "p.json")
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert b"nothing is known of this phone" in ran.stderr
    assert not Path("p.json").exists()


def test_the_head_kept_outside_is_compared(run: Run) -> None:
    proof = json.loads(run("proof", PHONE, "-o", "-").stdout)
    Path("p.json").write_text(json.dumps(proof))
    assert run("check-proof", "p.json", "--head", proof["head"]["hash"]).returncode == 0
    assert run("check-proof", "p.json", "--head", "0" * 64).returncode == 1
    assert run("proof", PHONE, "--head", "0" * 64).returncode == 1
    for head in ("5f2c", "x" * 64, f"-1:{'0' * 64}", f"01:{'0' * 64}", f":{'0' * 64}"):
        assert run("check-proof", "p.json", "--head", head).returncode == 2


def test_the_number_of_a_head_is_compared_where_it_was_kept_and_else_noted(run: Run) -> None:
    Path("p.json").write_bytes(run("proof", PHONE).stdout)
    hash_ = json.loads(Path("p.json").read_text())["head"]["hash"]
    noted = run("check-proof", "p.json", "--head", hash_)
    assert b"note: that the head is event 3 is what the path says, and no hash holds it" in noted.stdout
    compared = run("check-proof", "p.json", "--head", f"3:{hash_}")
    assert (compared.returncode, b"note:" in compared.stdout) == (0, False)
    other = run("check-proof", "p.json", "--head", f"4:{hash_}")
    assert (other.returncode, b"event 3, not 4" in other.stderr) == (1, True)


def test_a_message_that_is_not_in_the_proof_is_noted(run: Run) -> None:
    proof = json.loads(run("proof", PHONE).stdout)
    ((message, _),) = proof["causes"].items()
    proof["causes"][message] = {"from": "messages", "purged": True}
    checked = run("check-proof", "-", stdin=json.dumps({**proof, "fingerprint": fingerprint(proof)}).encode())
    assert checked.returncode == 0
    assert f"note: message {message} is not in this proof: only the SHA-256".encode() in checked.stdout


def lied(text: str) -> str:
    proof = json.loads(text)
    proof["events"][1]["event"]["detail"]["reason"] = "never asked"
    return json.dumps({**proof, "fingerprint": fingerprint(proof)})


BROKEN: list[tuple[str, Callable[[str], Any]]] = [
    ("a lie", lied),
    ("half of it", lambda text: text[: len(text) // 2]),
    ("nothing", lambda _: ""),
    ("another thing", lambda _: "[]"),
    ("two phones", lambda text: text.replace('"phone"', '"phone": "+8613900000009", "phone"', 1)),
    ("two actors", lambda text: text.replace('"actor": "', '"actor": "wang", "actor": "', 1)),
    ("no number", lambda text: text.replace('"version": 1', '"version": NaN')),
    ("a page without", lambda _: "<html></html>"),
    ("a deep hole", lambda _: "[" * 200_000),
    ("a PDF that is none", lambda _: "%PDF-1.7\nnothing"),
]


@pytest.mark.parametrize(("what", "broken"), BROKEN, ids=[what for what, _ in BROKEN])
def test_what_does_not_hold_is_status_1(what: str, broken: Callable[[str], Any], run: Run) -> None:
    text = run("proof", PHONE).stdout.decode()
    checked = run("check-proof", "-", stdin=broken(text).encode())
    assert checked.returncode == 1
    assert b"Error: " in checked.stderr


def test_a_lie_inside_a_page_is_found(run: Run) -> None:
    page = run("proof", PHONE, "--format", "html").stdout
    assert run("check-proof", "-", stdin=page.replace(b'"li.na"', b'"wang"')).returncode == 1


def test_a_pdf_is_not_for_a_terminal(run: Run) -> None:
    said = on_terminal(["optouts", "proof", PHONE, "--format", "pdf"])
    assert said.status == 2
    assert "-o proof.pdf" in said.out

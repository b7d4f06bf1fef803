"""A newcomer's walk from an empty folder, by the commands of the README: from a clone, and from a wheel in a venv.

Install, serve, register with the simulated gateway, receive, unsubscribe, look, send, prove, back up, upgrade, restore.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.admin.console.visitor import PASSWORD, Visitor
from tests.callback.raw import ask, get
from tests.serving import free_port

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
STAYS, LEAVES = "13900000002", "13900000003"
_WITHIN = 30.0


@dataclass(frozen=True)
class Newcomer:
    """Somebody in a folder with nothing but what was installed there, and settings of the environment."""

    folder: Path
    serve: tuple[str, ...]
    receiver: str
    env: Mapping[str, str]

    def __call__(self, *arguments: object, status: int = 0) -> str:
        """What ``receiver …`` prints, which must end with ``status``."""
        ran = subprocess.run(
            [self.receiver, *map(str, arguments)], cwd=self.folder, env=self.env,
            capture_output=True, text=True,
        )  # fmt: skip
        assert ran.returncode == status, (arguments, ran)
        return ran.stdout

    def rows(self, *arguments: object, status: int = 0) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self(*arguments, "--format", "json", status=status).splitlines()]

    @contextlib.contextmanager
    def running(self, command: tuple[str, ...], until: str) -> Iterator[str]:
        """While it lasts ``command`` runs in another terminal; what it printed up to the word that is waited for."""
        with subprocess.Popen(
            command, cwd=self.folder, env=self.env, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line
                if until in line:
                    break
            assert until in said, said
            # As long as nobody reads on, a pipe takes more than what is logged here.
            try:
                yield said
            finally:
                os.killpg(process.pid, signal.SIGINT)
                process.stdout.read()


def _cloned(folder: Path) -> tuple[Path, tuple[str, ...], str]:
    subprocess.run(["git", "clone", "--quiet", ROOT, folder / "clone"], check=True)
    return folder / "clone", ("make", "run"), ".venv/bin/receiver"


def _from_a_wheel(folder: Path) -> tuple[Path, tuple[str, ...], str]:
    subprocess.run(["make", "wheel", f"DIST={folder / 'dist'}"], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    uv: list[str | Path] = [ROOT / ".venv/bin/uv", "pip", "install", "--quiet", "--python", venv / "bin/python"]
    subprocess.run([*uv, "--require-hashes", "-r", ROOT / "requirements/runtime.txt"], check=True)
    subprocess.run([*uv, "--no-deps", wheel], check=True)
    (folder / "elsewhere").mkdir()
    receiver = str(venv / "bin/receiver")
    return folder / "elsewhere", (receiver, "serve"), receiver


@pytest.mark.parametrize("installed", [_cloned, _from_a_wheel])
def test_walk(installed: Callable[[Path], tuple[Path, tuple[str, ...], str]], tmp_path: Path) -> None:
    callback, admin, gateway = free_port(), free_port(), free_port()
    env = {name: value for name, value in os.environ.items() if not name.startswith(("RECEIVER_", "VIRTUAL_ENV"))}
    env |= {
        "RECEIVER_CALLBACK_BIND": f"127.0.0.1:{callback}",
        "RECEIVER_ADMIN_BIND": f"127.0.0.1:{admin}",
        "RECEIVER_GATEWAY_URL": f"http://127.0.0.1:{gateway}/send/",
        "RECEIVER_GATEWAY_NAME": "demo",
        "RECEIVER_GATEWAY_PASSWORD": "demo123",
    }
    newcomer = Newcomer(*installed(tmp_path), env)

    with newcomer.running(newcomer.serve, "Ctrl-C") as said:
        simulator = (
            newcomer.receiver, "simulate", "gateway", "--port", str(gateway), "--reply-rate", "1", "--reply", "好的",
            "--stop-share", "0", "--reply-after", "0", "--push-to", f"http://127.0.0.1:{callback}/recv.asp",
        )  # fmt: skip
        with newcomer.running(simulator, "Ctrl-C"):
            _receive_and_unsubscribe(newcomer, callback)
            _look(newcomer, said, admin)
            _send(newcomer)
    newcomer("optouts", "proof", LEAVES, "--format", "pdf", "-o", "proof.pdf")
    newcomer("optouts", "check-proof", "proof.pdf")
    newcomer("db", "backup", "-o", "receiver.backup")
    newcomer("db", "check-backup", "receiver.backup")
    before = newcomer.rows("messages", "list")

    _upgrade(newcomer, before)
    restored = replace(newcomer, env={**env, "RECEIVER_DATA_DIR": str(tmp_path / "restored")})
    restored("db", "restore", "receiver.backup")
    restored("optouts", "verify")
    restored("optouts", "check", LEAVES, status=1)
    assert restored.rows("messages", "list") == before


def _receive_and_unsubscribe(newcomer: Newcomer, callback: int) -> None:
    newcomer("services", "add", "news", "--name", "News", "--prefix", "10690")
    newcomer("subscriptions", "add", LEAVES, "news")
    newcomer("simulate", "push", "--msg", "你好", "--charset", "raw-gbk")
    assert ask(callback, get(f"/recv.asp?src={LEAVES}&dst=10690000&msg=0000".encode())).body == b"0"
    assert {row["text"] for row in newcomer.rows("messages", "list")} == {"你好", "0000"}
    newcomer("optouts", "check", LEAVES, status=1)
    assert newcomer.rows("subscriptions", "list", "--phone", LEAVES) == []


def _look(newcomer: Newcomer, said: str, admin: int) -> None:
    link = re.search(rf"first admin: http://127\.0\.0\.1:{admin}(/welcome/\S+)", said)
    assert link, said
    visitor = Visitor(admin)
    visitor.get(link[1])
    visitor.follow(link[1], password=PASSWORD, again=PASSWORD)
    assert "你好" in visitor.get("/replies").words
    assert visitor.get("/static/console.css").status == 200


def _send(newcomer: Newcomer) -> None:
    newcomer("gateway", "balance")
    newcomer("gateway", "send", "--text", "Our shop opens at nine", "--to", STAYS, "--to", LEAVES, status=1)
    deadline = time.monotonic() + _WITHIN
    while not any(row["text"] == "好的" for row in newcomer.rows("messages", "list")):
        assert time.monotonic() < deadline, "the reply to the text did not come"
        time.sleep(0.1)
    texted = [row for row in newcomer.rows("messages", "list", "--reveal") if row["text"] == "好的"]
    assert [row["src"] for row in texted] == [f"+86{STAYS}"]


def _upgrade(newcomer: Newcomer, before: list[dict[str, Any]]) -> None:
    """From the schema of the release before, by starting."""
    newcomer("db", "downgrade", "--yes", "--", "-1")
    with newcomer.running(newcomer.serve, "Ctrl-C") as said:
        assert "migrated" in said
        assert newcomer.rows("messages", "list") == before
        newcomer("optouts", "check", LEAVES, status=1)
        newcomer("optouts", "verify")
        newcomer("doctor", "--offline", "--format", "json", status=0)

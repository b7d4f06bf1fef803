"""A folder in which the receiver runs as the pages presume it, and a shell that types what they say.

``receiver`` is there by both of its names. What is typed reaches this process, which forks a receiver that has imported
all already (tests/processes.py), with the shell's own folder, settings and streams: a hundred commands take seconds.
"""

import ast
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from receiver.gateway.simulator.gateway import Account, Fault, Kind, Page, SimulatedGateway
from receiver.vocabulary import new_id
from tests.callback.raw import ask, get
from tests.processes import Process, run
from tests.serving import free_port

_READY_WITHIN = 30.0
_TYPED = f"""\
#!{sys.executable} -IS
import _socket, os, sys  # socket itself would take longer to import than all the rest
there = _socket.socket(_socket.AF_UNIX)
there.connect(os.environ["TYPED_AT"])
said = repr((sys.argv[1:], os.getcwd(), dict(os.environ)))
streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
there.sendmsg([said.encode()], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
sys.exit(int(there.recv(16)))
"""
# What may be typed here: the rest could change the machine that the tests run on.
_HARMLESS = re.compile(
    r"(\.venv/bin/)?receiver |curl |python3 (-c|check\.py) "
    r"|export \w+=|RECEIVER_\w+=\S+\s*(#|$)|echo |rm -r /tmp/drill;"
)
# Files that pages speak of, as people would have them.
_FILES = {
    "subscribers.csv": "phone,service\n13900000001,news\n13900000005,news\n",
    "letters.csv": "phone\n13900000006\n",
    "customers.csv": "name,mobile\nLi,13900000007\nWang,139 0000 0008\n",
    "phones.txt": "13900000007\n13900000008\n",
    "notice.txt": "Our shop opens at nine",
    "text.txt": "Our shop opens at nine",
}


@dataclass(frozen=True)
class Typed:
    """What came of one command."""

    command: str
    status: int
    said: str


class Place:
    """Where the receiver and the gateway's stand-in run, for as long as it is entered."""

    def __init__(self, folder: Path, migrated: Path) -> None:
        self.folder = folder
        self.callback, self.admin = free_port(), free_port()
        self._migrated = migrated
        self._open = contextlib.ExitStack()

    def __enter__(self) -> "Place":
        with contextlib.ExitStack() as opened:
            self.gateway = opened.enter_context(SimulatedGateway([Account("demo", "demo123", balance=1_000)]))
            self._furnish()
            opened.enter_context(self._listening())
            self._env = {
                **{name: value for name, value in os.environ.items() if not name.startswith("RECEIVER_")},
                "TYPED_AT": str(self.folder / "typed.sock"),
                "PATH": f"{self.folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
                "HOME": str(self.folder),
                "LOGNAME": "li",
            }
            with (self.folder / "log").open("wb") as log:
                serve = Process("receiver", "serve", cwd=self.folder, env=self._env, stdout=log, stderr=log)
            server = opened.enter_context(serve)
            opened.callback(server.kill)  # its roles end with it
            self._wait()
            self._live()
            self._open = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def type(self, commands: list[str]) -> list[Typed]:
        """Type them one after the other into one shell, as they stand but for what is somewhere else here."""
        refused = [command for command in commands if not _HARMLESS.match(command)]
        assert refused == [], "not known to be harmless: mark its block as not run, or allow it in _HARMLESS"
        script, ended = [], self.folder / "ended"
        for number, command in enumerate(commands):
            out = self.folder / f"out-{number}"
            script += [f"{{ {self.told(command)}\n}} >{out} 2>&1 </dev/null", f"echo $? >>{ended}"]
        ended.write_text("")
        subprocess.run(["bash", "-c", "\n".join(script)], cwd=self.folder, env=self._env, check=True)
        statuses = ended.read_text().split()
        return [
            Typed(command, int(status), (self.folder / f"out-{number}").read_text(errors="replace"))
            for number, (command, status) in enumerate(zip(commands, statuses, strict=True))
        ]

    def told(self, command: str) -> str:
        """``command`` with this place's ports and folders, and a name or number for each word in capitals."""
        here = self.folder
        for pattern, meant in (
            (r"127\.0\.0\.1:8000\b", f"127.0.0.1:{self.callback}"),
            (r"127\.0\.0\.1:8001\b", f"127.0.0.1:{self.admin}"),
            (r"/backup/", f"{here}/backup/"),
            (r"/tmp/drill\b", f"{here}/drill"),
            (r"receiver-20\d\d-\d\d-\d\d", f"receiver-{_day(0)}"),
            (r"--at \S+", f"--at {_day(2)}T17:00"),
            (r"^(\S*receiver db restore) ", rf'RECEIVER_DATA_DIR="${{RECEIVER_DATA_DIR:-{here}/empty}}" \1 '),
            (r"(?<=messages show )ID\b", '"$MESSAGE"'),
            (r"(?<=sends settle )ID\b|(?<=sends show )ID\b|(?<=sends resume )ID\b", '"$IN_DOUBT"'),
            (r"(?<=quarantine show )ID\b", '"$QUARANTINED"'),
            (r"(?<=sends cancel )ID\b", '"$HELD"'),
            (r"(?<=--head )(?:HASH\b|\S+…)|\[HASH or .*\]", '"$HEAD"'),
            (r"(?<=spool settle )FILE\b", '"$DAMAGED"'),
            (r"\brcv_3f9a1c2b\b", "$(receiver keys list --format json | head -1 | jq -r .prefix)"),
            (r"\bPHONE\b", "13900000001"),
        ):
            command = re.sub(pattern, meant, command)
        return command

    def _furnish(self) -> None:
        for name, said in _FILES.items():
            (self.folder / name).write_text(said)
        for folder in ("bin", "var", "backup", "empty", ".venv/bin"):
            (self.folder / folder).mkdir(parents=True)
        shutil.copyfile(self._migrated, self.folder / "var/receiver.db")
        for path in ("bin/receiver", ".venv/bin/receiver"):
            (self.folder / path).write_text(_TYPED)
            (self.folder / path).chmod(0o755)
        settings = {
            "CALLBACK_BIND": f"127.0.0.1:{self.callback}",
            "ADMIN_BIND": f"127.0.0.1:{self.admin}",
            "GATEWAY_URL": self.gateway.url,
            "GATEWAY_NAME": "demo",
            "GATEWAY_PASSWORD": "demo123",
        }
        (self.folder / ".env").write_text("".join(f"RECEIVER_{name}={value}\n" for name, value in settings.items()))

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(self.folder / "typed.sock"))
            listening.listen()
            thread = threading.Thread(target=self._answer, args=(listening,))
            thread.start()
            yield
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()

    def _answer(self, listening: socket.socket) -> None:
        while True:
            try:
                typed, _ = listening.accept()
            except OSError:  # it was shut down
                return
            threading.Thread(target=self._run, args=(typed,)).start()

    def _run(self, typed: socket.socket) -> None:
        with typed:
            said, streams, _, _ = socket.recv_fds(typed, 1 << 20, 3)
            arguments, cwd, env = ast.literal_eval(said.decode())
            stdin, out, err = streams
            with Process("receiver", *arguments, cwd=cwd, env=env, stdin=stdin, stdout=out, stderr=err) as process:
                for stream in streams:
                    os.close(stream)
            typed.sendall(str(process.returncode).encode())

    def _wait(self) -> None:
        deadline = time.monotonic() + _READY_WITHIN
        while "Ctrl-C" not in (log := (self.folder / "log").read_text()):
            assert time.monotonic() < deadline, log
            time.sleep(0.02)

    def _live(self) -> None:
        """What has happened before somebody reads a page: replies, stops, a send in doubt, one that is held, damage."""
        for said in (b"src=13900000002&dst=10690000&msg=hello", b"src=13900001234&dst=10690000&msg=0000", b"dst=1069"):
            ask(self.callback, get(b"/recv.asp?" + said))
        (message, *_) = self._rows("messages", "list", "--limit", 1)
        (quarantined, *_) = self._rows("quarantine", "list")
        send = ("gateway", "send", "--text", "We open at nine", "--to", "13900000009")
        self.gateway.faults = [Fault(Kind.RESET, pages=frozenset([Page.SEND]), times=1)]
        self._rows(*send)
        self._rows(*send, "--at", f"{_day(2)}T09:00", "--hold")
        held, in_doubt = self._rows("gateway", "sends", "list")
        head = self._rows("optouts", "verify")[0]["head"]
        self._env |= {
            "MESSAGE": message["id"],
            "QUARANTINED": quarantined["id"],
            "IN_DOUBT": in_doubt["id"],
            "HELD": held["id"],
            "HEAD": head,
        }

    def damage(self) -> None:
        """Leave something in the spool that can't be read: it holds sends, so only where a page is about it."""
        damaged = self.folder / f"var/spool/push/{new_id()}.damaged"
        damaged.parent.mkdir(parents=True, exist_ok=True)
        damaged.write_bytes(b"secret words\n")
        self._env["DAMAGED"] = damaged.name

    def _rows(self, *arguments: object) -> list[dict[str, str]]:
        said = run("receiver", *arguments, "--format", "json", cwd=self.folder, env=self._env, text=True)
        return [json.loads(line) for line in said.stdout.splitlines()]


def _day(ahead: int) -> str:
    return f"{datetime.now().astimezone() + timedelta(days=ahead):%F}"

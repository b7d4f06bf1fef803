"""The command line, run in this process or on a terminal, over a database with replies in it."""

import fcntl
import io
import json
import logging
import os
import pty
import struct
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from receiver import cli
from tests.filled import WINDOW, Filled
from tests.processes import Process

__all__ = ["WINDOW", "Filled", "Ran", "Run", "on_terminal"]


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No setting from outside, no .env, and the loggers as they were."""
    for name in [name for name in os.environ if name.startswith("RECEIVER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``receiver …`` with its output into a pipe."""

    def run(*arguments: object, stdin: str = "") -> Ran:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["receiver", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        status = ended.value.code
        assert isinstance(status, int)
        return Ran(status, said.out, said.err)

    return run


def on_terminal(arguments: Sequence[object], *, columns: int = 160, answer: str | None = None) -> Ran:
    """Run ``receiver …`` with everything on one terminal, whose output is ``out``."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    for name in ("NO_COLOR", "COLUMNS", "LINES"):  # the terminal's own size counts
        environment.pop(name, None)
    process = Process("receiver", *arguments, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    if answer is not None:
        os.write(ours, answer.encode())
    said = b""
    while True:
        try:
            data = os.read(ours, 65_536)
        except OSError:  # the other end was closed
            break
        if not data:
            break
        said += data
    os.close(ours)
    return Ran(process.wait(), said.decode().replace("\r\n", "\n"), "")


@pytest.fixture
def filled(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Filled]:
    """A database, once on each engine, that the command line is set to."""
    monkeypatch.setenv("RECEIVER_DATABASE_URL", database_url)
    filled = Filled(database_url)
    yield filled
    filled.store.close()


@pytest.fixture
def sqlite(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Filled]:
    """A SQLite database alone, for what no database has a part in."""
    monkeypatch.setenv("RECEIVER_DATABASE_URL", sqlite_url)
    filled = Filled(sqlite_url)
    yield filled
    filled.store.close()

"""A real gateway for the tests: Kannel, with its ``fakesmsc`` as the network that the phones are in."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from tests.serving import free_port

READY_WITHIN = 30.0
_FAKESMSC = Path("/usr/lib/kannel/test/fakesmsc")

# max-messages = 0: whatever the page answers, no SMS goes back. alt-charset is what texts are written in.
_CONFIGURATION = """
group = core
admin-port = {admin_port}
admin-interface = 127.0.0.1
admin-password = tests
smsbox-port = {box_port}
smsbox-interface = 127.0.0.1
store-type = file
store-location = {directory}/store

group = smsc
smsc = fake
smsc-id = fake
port = {network_port}
our-host = 127.0.0.1
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {send_port}
sendsms-interface = 127.0.0.1

group = sms-service
keyword = default
catch-all = true
max-messages = {max_messages}
get-url = "{url}?src=%p&dst=%P&msg=%b"
"""


class KannelFailed(Exception):
    """Kannel is not installed, or did not do what it should; the message ends with its logs."""


class Kannel:
    """``bearerbox`` and ``smsbox``, which push each SMS to ``url``; all their ports are on 127.0.0.1."""

    def __init__(self, directory: Path, url: str, *, charset: str | None = None, max_messages: int = 0) -> None:
        self._directory = directory / "kannel"
        self._directory.mkdir()
        self._programs = {name: _program(name) for name in ("bearerbox", "smsbox", "fakesmsc")}
        self._admin_port, self._network_port, box_port, send_port = _free_ports(4)
        self._configuration = self._directory / "kannel.conf"
        self._configuration.write_text(
            _CONFIGURATION.format(
                directory=self._directory,
                admin_port=self._admin_port,
                box_port=box_port,
                network_port=self._network_port,
                send_port=send_port,
                max_messages=max_messages,
                url=url,
            )
            + (f"alt-charset = {charset}\n" if charset else "")
        )
        self._boxes: dict[str, subprocess.Popen[bytes]] = {}
        self._networks = 0

    def __enter__(self) -> "Kannel":
        try:
            self._start("bearerbox")
            self._wait_until(lambda: f"FAKE:{self._network_port}" in self.status(), "bearerbox has no network")
            self._start("smsbox")
            self._wait_until(lambda: "smsbox:" in self.status(), "smsbox does not reach bearerbox")
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._kill()

    def deliver(self, sender: str, receiver: str, text: str, arrived: Callable[[], bool], *, form: str = "text") -> str:
        """Let a phone send an SMS and wait until it ``arrived``; what the network printed, SMS to phones included.

        ``form`` is fakesmsc's: ``text``, or ``data`` for escaped bytes.
        """
        name = f"fakesmsc-{self._networks}"
        self._networks += 1
        message = f"{sender} {receiver} {form} {text}"
        self._start(name, "fakesmsc", "-H", "127.0.0.1", "-r", str(self._network_port), "-m", "1", message)
        try:
            self._wait_until(arrived, f"{message!r} did not arrive")
        finally:
            self._stop(name, signal.SIGINT)
        return self._log(name)

    def finish(self) -> None:
        """Let smsbox deal with all that it has, and end it: what it has to say to phones is at bearerbox then."""
        self._stop("smsbox", signal.SIGTERM)

    def status(self) -> str:
        """Bearerbox's own account; empty while it does not answer."""
        address = f"http://127.0.0.1:{self._admin_port}/status.txt?password=tests"
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                text: str = answer.read().decode()
                return text
        except OSError:
            return ""

    def _start(self, name: str, program: str | None = None, *arguments: str) -> None:
        with (self._directory / f"{name}.log").open("wb") as log:
            self._boxes[name] = subprocess.Popen(
                [self._programs[program or name], *(arguments or ["-v", "0", str(self._configuration)])],
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _stop(self, name: str, how: signal.Signals) -> None:
        box = self._boxes.pop(name)
        box.send_signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            box.wait(10)
        _kill_group(box)

    def _kill(self) -> None:
        while self._boxes:
            _kill_group(self._boxes.popitem()[1])

    def _wait_until(self, condition: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while not condition():
            dead = [name for name, box in self._boxes.items() if box.poll() is not None]
            if dead or time.monotonic() > deadline:
                logs = "\n".join(f"--- {name}\n{self._log(name)}" for name in self._boxes)
                raise KannelFailed(f"{otherwise}{f'; ended: {dead}' if dead else ''}\n{logs}")
            time.sleep(0.05)

    def _log(self, name: str) -> str:
        return (self._directory / f"{name}.log").read_text(errors="replace")


def _program(name: str) -> str:
    path = str(_FAKESMSC) if name == "fakesmsc" else shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if path is None or not os.access(path, os.X_OK):
        raise KannelFailed(f"{name} is not installed, and this test needs it: apt-get install kannel kannel-extras")
    return path


def _free_ports(count: int) -> list[int]:
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(free_port())
    return list(ports)


def _kill_group(box: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(box.pid, signal.SIGKILL)
    box.wait()

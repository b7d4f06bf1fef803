"""The units for systemd: it takes them as they are, they are shut in, and a restart drops no connection."""

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from receiver.store.store import Store
from receiver.store.tables import messages
from tests.callback.raw import ask, get
from tests.intake.replies import rows
from tests.serving import free_port, migrate

pytestmark = pytest.mark.deploy

UNITS = Path(__file__).parents[2] / "deploy/systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
# What systemd calls OK begins below 4; ours are well below.
MOST_EXPOSED = 20
_PR_SET_MDWE = 65


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units with the path of this receiver, since systemd looks whether there is one."""
    receiver = Path(sys.executable).with_name("receiver")
    for unit in UNITS.iterdir():
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/receiver/bin/receiver", str(receiver)))
    return tmp_path


def test_systemd_takes_them(units: Path) -> None:
    verified = subprocess.run(
        ["systemd-analyze", "verify", *map(str, units.iterdir())], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")


@pytest.mark.parametrize("service", SERVICES)
def test_they_may_touch_little(units: Path, service: str) -> None:
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(units / service)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert judged.returncode == 0, judged.stdout[-200:]


def deny_write_execute() -> None:
    """MemoryDenyWriteExecute, as kernels have it since 6.3: older ones refuse, and nothing is denied."""
    ctypes.CDLL(None).prctl(_PR_SET_MDWE, 1, 0, 0, 0)


def test_commands_have_the_settings_of_the_services(tmp_path: Path) -> None:
    said = (UNITS.parent / "bin/receiver").read_text()
    for there, here in (
        ("/etc/receiver &&", f"{tmp_path} &&"),
        ("runuser --user receiver -- /opt/receiver/bin/receiver", str(Path(sys.executable).with_name("receiver"))),
    ):
        assert there in said
        said = said.replace(there, here)
    (tmp_path / "receiver.env").write_text("RECEIVER_DATA_DIR=/var/lib/receiver\n")
    (tmp_path / ".env").symlink_to("receiver.env")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RECEIVER_")}
    command = ["sh", "-c", said, "receiver", "config", "--format", "json"]
    told = subprocess.run(command, cwd="/", env=clean, capture_output=True, text=True, check=True).stdout
    (folder,) = (row for row in map(json.loads, told.splitlines()) if row["name"] == "RECEIVER_DATA_DIR")
    assert folder["value"] == "/var/lib/receiver"


@contextmanager
def activated(listening: socket.socket, folder: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """The callback as systemd starts it: its address open already, as descriptor 3."""
    script = 'exec 3<&$0; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
    command = ["bash", "-c", script, str(listening.fileno()), sys.executable, "-m", "receiver", "serve"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RECEIVER_")}
    env = {**clean, "RECEIVER_DATABASE_URL": url, "RECEIVER_DATA_DIR": str(folder)}
    with subprocess.Popen(
        [*command, "--role", "callback"],
        cwd=folder, env=env, pass_fds=[listening.fileno()], preexec_fn=deny_write_execute,
    ) as role:  # fmt: skip
        try:
            yield role
        finally:
            role.terminate()
            role.wait(30)


def test_a_restart_drops_no_connection(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'receiver.db'}"
    migrate(url)
    answers: list[bytes] = []
    port, stop = free_port(), threading.Event()
    with socket.create_server(("127.0.0.1", port), backlog=1024) as listening:

        def push() -> None:
            while not stop.is_set():
                answers.append(ask(port, get(b"/recv.asp?src=13900000001&dst=1069&msg=%d" % len(answers))).body)

        with activated(listening, tmp_path, url):
            pushing = threading.Thread(target=push)
            pushing.start()
            while len(answers) < 20:
                time.sleep(0.05)
        before = len(answers)
        with activated(listening, tmp_path, url):
            while len(answers) < before + 20:
                time.sleep(0.05)
            stop.set()
            pushing.join()
    assert set(answers) == {b"0"}
    store = Store(url, pooled=False)
    assert len(rows(store, messages)) == len(answers)
    store.close()

"""A real Prometheus with the configuration of ``deploy/``: its addresses replaced, and asked more often."""

import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.serving import free_port

CONFIGURED = Path(__file__).parents[2] / "deploy/prometheus"
_WITHIN = 60.0


@dataclass(frozen=True)
class Prometheus:
    port: int

    def get(self, path: str, **query: str) -> Any:
        """The data of an answer of its API."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            said = json.load(answer)
        assert said["status"] == "success", said
        return said["data"]

    def query(self, expression: str) -> list[Any]:
        """What an expression is now."""
        found: list[Any] = self.get("query", query=expression)["result"]
        return found


def promtool(*arguments: object, given: bytes | None = None) -> None:
    """Have it check something: whatever it does not like is a failure."""
    checked = subprocess.run(["promtool", *map(str, arguments)], input=given, capture_output=True, check=False)
    assert checked.returncode == 0, (checked.stdout + checked.stderr).decode()


def configured(folder: Path, callback: int, worker: int, admin: int, key: str) -> Path:
    """The configuration in ``folder``, for these ports."""
    (folder / "receiver.key").write_text(key)
    said = (CONFIGURED / "prometheus.yml").read_text()
    for pattern, instead in (
        (r"127\.0\.0\.1:9801\"", f'127.0.0.1:{callback}"'),
        (r"127\.0\.0\.1:9802\"", f'127.0.0.1:{worker}"'),
        (r"127\.0\.0\.1:8001\"", f'127.0.0.1:{admin}"'),
        (r"/etc/prometheus/receiver\.key", str(folder / "receiver.key")),
        (r"(scrape|evaluation)_interval: 15s", r"\1_interval: 1s"),
    ):
        said, count = re.subn(pattern, instead, said)
        assert count, f"{pattern} is not in prometheus.yml"
    (folder / "alerts.yml").write_text((CONFIGURED / "alerts.yml").read_text())
    path = folder / "prometheus.yml"
    path.write_text(said)
    return path


@contextmanager
def prometheus(configuration: Path) -> Iterator[Prometheus]:
    """It runs, and has asked every target."""
    made = Prometheus(free_port())
    folder = configuration.parent
    command = [
        "prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{made.port}", "--log.level=warn",
    ]  # fmt: skip
    with (folder / "prometheus.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            until(lambda: len(made.query("up == 1")) == 3, folder / "prometheus.log")
            yield made
        finally:
            process.terminate()
            process.wait(_WITHIN)


def until(true: Callable[[], bool], log: Path) -> None:
    """Wait for it."""
    deadline = time.monotonic() + _WITHIN
    while True:
        try:
            if true():
                return
        except OSError:
            pass  # it does not listen yet
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)

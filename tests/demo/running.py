"""``receiver demo`` as people run it, for tests and for pictures of the console."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.serving import ServerFailed, free_port

WITHIN = 90.0


class Demo:
    """A demonstration that keeps its data in ``folder``. No replies come in by themselves, so that it stands still."""

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.callback, self.admin, self.gateway = (free_port() for _ in range(3))
        self._log = folder.parent / f"{folder.name}.log"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RECEIVER_")}
        ports = {"callback": self.callback, "admin": self.admin, "gateway": self.gateway}
        given = [argument for name, port in ports.items() for argument in (f"--{name}-port", str(port))]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "receiver", "demo", "--still", "--folder", str(folder), *given],
                env={**inherited, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def url(self) -> str:
        """Its database's."""
        return f"sqlite:///{self.folder.absolute() / 'receiver.db'}"

    @property
    def links(self) -> dict[str, str]:
        """The path of each role's link."""
        return dict(re.findall(rf"(\w+) +http://127\.0\.0\.1:{self.admin}(/welcome/\S+)", self.log))

    def wait(self) -> None:
        """Until it says that it is there. Raises ServerFailed."""
        deadline = time.monotonic() + WITHIN
        while "Ctrl-C" not in self.log:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ServerFailed(f"the demonstration did not start\n{self.log}")
            time.sleep(0.05)

    def end(self) -> int:
        """Ask it to stop, and wait until it has; its exit status."""
        self.process.terminate()
        return self.process.wait(WITHIN)


@contextmanager
def demonstrating(folder: Path, env: Mapping[str, str] | None = None) -> Iterator[Demo]:
    """A demonstration that is ready, for as long as the block lasts."""
    demo = Demo(folder, env)
    try:
        demo.wait()
        yield demo
    finally:
        demo.end()

"""A real nginx with the configuration of ``deploy/``: its addresses and files replaced, and nothing else."""

import re
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.serving import free_port

_CONF = Path(__file__).parents[2] / "deploy/nginx/receiver.conf"
_WITHIN = 30.0


@dataclass(frozen=True)
class Nginx:
    port: int
    tls_port: int
    folder: Path

    @property
    def logs(self) -> bytes:
        """Everything that it logged."""
        return b"".join(path.read_bytes() for path in sorted(self.folder.glob("*.log")))


@contextmanager
def nginx(folder: Path, callbacks: Sequence[int], admin: int, *, gateway: str = "127.0.0.1") -> Iterator[Nginx]:
    """It runs before these ports, and lets ``gateway`` call."""
    made = Nginx(free_port(), free_port(), folder)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    servers = "".join(f"server 127.0.0.1:{port} max_fails=0;" for port in callbacks)
    said = _CONF.read_text()
    for pattern, instead in (
        (r"server 127\.0\.0\.1:8000 max_fails=0;", servers),
        (r"127\.0\.0\.1:8001", f"127.0.0.1:{admin}"),
        (r"listen 80;", f"listen 127.0.0.1:{made.port};"),
        (r"listen 443 ssl", f"listen 127.0.0.1:{made.tls_port} ssl"),
        (r"/etc/receiver/tls", str(folder)),
        (r"/var/log/nginx", str(folder)),
        (r"allow 203\.81\.21\.34;", f"allow {gateway};"),
    ):
        said, count = re.subn(pattern, instead, said)
        assert count, f"{pattern} is not in {_CONF}"
    (folder / "receiver.conf").write_text(said)
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx-error.log; worker_processes 1;\n"
        f"events {{ worker_connections 512; }}\nhttp {{ {paths} include {folder}/receiver.conf; }}\n"
    )
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    assert "[warn]" not in tested.stderr, tested.stderr
    with subprocess.Popen(command) as process:
        try:
            wait_for(made.port)
            yield made
        finally:
            process.terminate()
            process.wait(_WITHIN)


def wait_for(port: int) -> None:
    """Until somebody listens there."""
    deadline = time.monotonic() + _WITHIN
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < deadline, "nobody listens"
            time.sleep(0.05)
        else:
            return

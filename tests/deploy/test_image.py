"""The image: its own Dockerfile builds it on a Debian made of packages; it receives as nobody, and keeps to its folder.

A real compose understands its file, whose services name nothing that isn't there.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from receiver import cli
from receiver.config import PREFIX, Settings
from tests.callback.raw import ask, get
from tests.serving import free_port

pytestmark = pytest.mark.image

ROOT = Path(__file__).parents[2]
BASE = "localhost/debian:bookworm-slim"
NOBODY = 10001
COMMIT = "0123456789ab"
# What the installation of packages needs where all leaves through a proxy with certificates of its own.
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True)
class Buildah:
    """Builds and runs without a daemon, in a store of its own."""

    folder: Path

    def __call__(self, *arguments: object) -> str:
        return subprocess.run(
            self.command(*arguments), env=self.env, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()

    def command(self, *arguments: object) -> list[str]:
        return ["buildah", f"--root={self.folder}/root", f"--runroot={self.folder}/run", *map(str, arguments)]

    @property
    def env(self) -> Mapping[str, str]:
        return {**os.environ, "BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"}


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Buildah, str]]:
    """A container of the image, which was built as the Dockerfile says."""
    folder = tmp_path_factory.mktemp("image")
    buildah = Buildah(folder / "store")
    debian = folder / "debian.tar"
    subprocess.run(["debootstrap", "--variant=minbase", "bookworm", debian.with_suffix("")], check=True)
    subprocess.run(["tar", "-C", debian.with_suffix(""), "-cf", debian, "."], check=True)
    base = buildah("from", "scratch")
    buildah("add", base, debian, "/")
    buildah("commit", base, BASE)
    pip = folder / "pip.conf"
    pip.write_text("[global]\ncert = /certificates.crt\n")
    buildah(
        "bud", "--pull-never", "--format=docker", f"--build-arg=RECEIVER_COMMIT={COMMIT}",
        f"--volume={CERTIFICATES}:/certificates.crt:ro", f"--volume={pip}:/etc/pip.conf:ro", "--tag=receiver", ".",
    )  # fmt: skip
    yield buildah, buildah("from", "receiver")
    buildah("rm", "--all")


@contextlib.contextmanager
def running(buildah: Buildah, name: str, callback: int, admin: int) -> Iterator[subprocess.Popen[str]]:
    """The container's own command, at ports that are free here."""
    binds = [f"--env={PREFIX}CALLBACK_BIND=127.0.0.1:{callback}", f"--env={PREFIX}ADMIN_BIND=127.0.0.1:{admin}"]
    config = json.loads(buildah("inspect", name))["Docker"]["config"]
    command = buildah.command("run", *binds, name, "--", *config["Entrypoint"], *config["Cmd"])
    with subprocess.Popen(command, env=buildah.env, stderr=subprocess.PIPE, text=True, start_new_session=True) as run:
        assert run.stderr is not None
        for line in run.stderr:
            if "Ctrl-C" in line:
                break
        try:
            yield run
        finally:
            os.killpg(run.pid, signal.SIGTERM)
            run.stderr.read()


def test_it_receives_as_nobody_and_writes_to_its_folder_alone(container: tuple[Buildah, str]) -> None:
    buildah, name = container
    root = Path(buildah("mount", name))
    began = time.time()
    callback, admin = free_port(), free_port()
    with running(buildah, name, callback, admin):
        assert ask(callback, get(b"/recv.asp?src=13900000001&dst=1069&msg=0000")).body == b"0"
        assert ask(callback, get(b"/healthz")).body.endswith(f"({COMMIT})".encode())
        assert ask(admin, get(b"/login")).status == 200
        owners = {
            (Path("/proc") / each / "status").read_text().partition("\nUid:\t")[2].split("\t")[0]
            for each in _processes_below(root)
        }
        assert owners == {str(NOBODY)}
    assert [row["phone"] for row in _told(buildah, name, "optouts", "list", "--reveal")] == ["+8613900000001"]
    health = json.loads(buildah("inspect", name))["Docker"]["config"]["Healthcheck"]["Test"]
    assert health[0] == "CMD"
    compile(health[3], "health check", "exec")
    written = {path.relative_to(root) for path in root.rglob("*") if path.is_file() and path.lstat().st_mtime > began}
    allowed = (Path("var/lib/receiver"), Path("tmp"), Path("run"))
    assert {path for path in written if not any(path.is_relative_to(each) for each in allowed)} == set()
    assert not (root / "opt/receiver/bin/pip").exists()


def _told(buildah: Buildah, name: str, *arguments: str) -> list[dict[str, Any]]:
    told = buildah("run", name, "--", "receiver", *arguments, "--format", "json")
    return [json.loads(line) for line in told.splitlines()]


def _processes_below(root: Path) -> list[str]:
    """The processes that have ``root`` for theirs, but what set it up for them."""
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and os.path.samefile(process / "root", root):
                found.append(process.name)
    assert found
    return found


def _compose() -> Any:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def test_compose_takes_the_file(tmp_path: Path) -> None:
    for name in ("compose.yaml", "Dockerfile"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "receiver.env").touch()
    checked = subprocess.run(
        ["docker-compose", "--file", "compose.yaml", "config", "--quiet"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_each_service_runs_a_command_that_there_is() -> None:
    ran = []
    for service in _compose()["services"].values():
        if service["image"] == "receiver":
            with click.Context(cli.command) as context:
                _, command, rest = cli.command.resolve_command(context, list(service["command"]))
            assert command is not None
            if isinstance(command, click.Group) and rest:
                _, command, rest = command.resolve_command(context, rest)
                assert command is not None
            command.make_parser(context).parse_args(rest)
            ran.append(service["command"][-1])
            for setting in service["environment"]:
                assert setting.removeprefix(PREFIX).removesuffix("_FILE").lower() in Settings.model_fields
    assert ran == ["upgrade", "callback", "admin", "worker"]

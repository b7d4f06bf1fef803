"""The wheel holds all that the receiver needs: it runs outside the checkout, migrates, receives, and proves."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.callback.raw import ask, get
from tests.serving import free_port

pytestmark = pytest.mark.deploy

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the wheel puts beside its dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(["make", "wheel", f"DIST={folder}"], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "unpacked")
    return folder / "unpacked"


def test_nothing_of_ours_is_missing_or_too_much(unpacked: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "receiver", "migrations", "wsgi.py"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    there = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    of_the_package = {name for name in there if name.split("/")[0] in ("receiver", "migrations", "wsgi.py")}
    assert of_the_package == {*tracked, "receiver/COMMIT"}
    besides = there - of_the_package
    for ending in ("licenses/LICENSE", "licenses/THIRD-PARTY-NOTICES.md", "data/share/man/man1/receiver.1"):
        assert any(name.endswith(ending) for name in besides), ending


def test_it_runs_outside_the_checkout(unpacked: Path, tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RECEIVER_")}
    callback, admin = free_port(), free_port()
    env = {
        **clean,
        "PYTHONPATH": str(unpacked),
        "RECEIVER_CALLBACK_BIND": f"127.0.0.1:{callback}",
        "RECEIVER_ADMIN_BIND": f"127.0.0.1:{admin}",
    }

    def receiver(*arguments: str) -> str:
        command = [sys.executable, "-m", "receiver", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True, text=True).stdout

    built_from = (unpacked / "receiver/COMMIT").read_text().strip()
    assert receiver("--version").rstrip().endswith(f"({built_from})")
    where = [sys.executable, "-c", "import receiver; print(receiver.__file__)"]
    told = subprocess.run(where, cwd=tmp_path, env=env, check=True, capture_output=True, text=True).stdout
    assert told.startswith(str(unpacked))
    with subprocess.Popen(
        [sys.executable, "-m", "receiver", "serve"], cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True
    ) as serving:
        assert serving.stderr is not None
        for line in serving.stderr:
            if "Ctrl-C" in line:
                break
        assert ask(callback, get(b"/recv.asp?src=13900000001&dst=1069&msg=0000")).body == b"0"
        login = ask(admin, get(b"/login"))
        assert login.status == 200
        assert "console.css" in login.body.decode()
        assert ask(admin, get(b"/static/console.css")).status == 200
        serving.terminate()
        serving.stderr.read()
    assert receiver("optouts", "proof", "13900000001", "--format", "html").startswith("<!DOCTYPE html>")

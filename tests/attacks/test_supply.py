"""What others wrote: nothing is installed, nor served to a browser, that is not what was looked at."""

import re
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PINS = sorted((ROOT / "requirements").glob("*.txt"))


@pytest.mark.parametrize("pins", PINS, ids=lambda path: path.name)
def test_every_pin_is_exact_and_hashed(pins: Path) -> None:
    whole = re.sub(r"\\\n\s*", " ", pins.read_text())
    lines = [line for line in whole.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert lines
    for line in lines:
        assert re.match(r"[a-z0-9._-]+(?:\[[a-z,]+\])?==\S+ ", line), line
        assert "--hash=sha256:" in line, line
        assert "://" not in line, "an address would be asked whatever its hash says of others"


def test_every_installation_asks_for_hashes() -> None:
    recipes = (ROOT / "Makefile").read_text().splitlines()
    installs = [
        line
        for line in recipes
        if re.search(r"\$\(INSTALL\)|pip install.* -r", line) and not line.startswith("INSTALL")
    ]
    assert len(installs) > 3
    for line in installs:
        assert "--require-hashes" in line or "--no-deps --no-build-isolation --editable ." in line, line


def test_a_package_that_was_changed_on_its_way_is_not_installed(tmp_path: Path) -> None:
    wheel = tmp_path / "harmless-1.0-py3-none-any.whl"
    about = "Metadata-Version: 2.1\nName: harmless\nVersion: 1.0\n"
    kind = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(wheel, "w") as packed:
        for name, said in (("harmless.py", ""), ("METADATA", about), ("WHEEL", kind), ("RECORD", "")):
            packed.writestr(name if name.endswith(".py") else f"harmless-1.0.dist-info/{name}", said)
    pins = tmp_path / "pins.txt"
    pins.write_text(f"harmless==1.0 --hash=sha256:{sha256(wheel.read_bytes()).hexdigest()}\n")
    assert install(tmp_path, pins) == (0, True)
    with zipfile.ZipFile(wheel, "a") as packed:
        packed.writestr("harmless.pth", "import os")
    (status, installed) = install(tmp_path, pins)
    assert (status != 0, installed) == (True, False)


def install(folder: Path, pins: Path) -> tuple[int, bool]:
    """How the project's own installer ends, and whether the package is there then."""
    there = folder / f"there-{len(list(folder.iterdir()))}"
    uv = Path(sys.executable).with_name("uv")
    asked = f"--no-index --no-cache --find-links {folder} --target {there} --require-hashes -r {pins}"
    ended = subprocess.run([uv, "pip", "install", *asked.split()], capture_output=True, check=False)
    return ended.returncode, (there / "harmless.py").exists()

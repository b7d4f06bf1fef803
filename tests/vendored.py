"""What others wrote and we carry along: fetched anew from npm by ``make vendor``, and held against its manifest.

A manifest names for each package its version and licence, and for each file where it lies in the package and its
SHA-256. To take a newer version, write it there, run ``make vendor``, and look at what changed.
"""

import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

_HOME = Path(__file__).parents[1]
FOLDERS = (_HOME / "receiver/admin/static/vendor", _HOME / "tests/vendor")
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Vendored:
    """One file that we carry along."""

    path: Path
    package: str
    licence: str
    origin: str
    sha256: str

    @property
    def is_as_fetched(self) -> bool:
        return sha256(self.path.read_bytes()).hexdigest() == self.sha256


def vendored(folder: Path) -> Iterator[Vendored]:
    """What the manifest of ``folder`` names."""
    for package in _read(folder):
        for name, file in package["files"].items():
            source = f"{package['package']}@{package['version']}"
            yield Vendored(folder / name, source, package["licence"], file["from"], file["sha256"])


def fetch(folder: Path) -> None:
    """Fetch every file of the manifest of ``folder``, and write down what came."""
    packages = _read(folder)
    for package in packages:
        with TemporaryDirectory() as place:
            asked = f"{package['package']}@{package['version']}"
            packed = subprocess.run(
                ["npm", "pack", "--silent", asked], cwd=place, check=True, capture_output=True, text=True
            )
            with tarfile.open(Path(place) / packed.stdout.split()[-1]) as archive:
                for name, file in package["files"].items():
                    held = archive.extractfile(f"package/{file['from']}")
                    assert held is not None, f"{asked} has no file {file['from']}"
                    content = held.read()
                    (folder / name).write_bytes(content)
                    file["sha256"] = sha256(content).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(packages, indent=2) + "\n")


def _read(folder: Path) -> list[dict[str, Any]]:
    packages: list[dict[str, Any]] = json.loads((folder / MANIFEST).read_text())
    return packages


if __name__ == "__main__":
    for each in FOLDERS:
        fetch(each)
        sys.stdout.write(f"{each.relative_to(_HOME)}: {', '.join(sorted({file.package for file in vendored(each)}))}\n")

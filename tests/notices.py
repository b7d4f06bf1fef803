"""THIRD-PARTY-NOTICES.md, written by ``make notices``: what comes with the receiver, and its licences."""

from collections.abc import Iterator
from importlib.metadata import metadata
from pathlib import Path

from packaging.requirements import Requirement

from .vendored import FOLDERS, vendored

_HOME = Path(__file__).parents[1]
PATH = _HOME / "THIRD-PARTY-NOTICES.md"
_HEAD = """\
# Third-party notices

The receiver is licensed under Apache-2.0 (LICENSE). With it come works of others, under licences of their own, whose
texts are in the packages themselves and, for what is served to browsers, in `receiver/admin/static/vendor/`.
This file is written by `make notices`.
"""


def notices() -> str:
    """The whole file, from the pins of the runtime and the manifest of what is served to browsers."""
    lines = [_HEAD, "## Installed with it", "", "| Package | Version | Licence |", "|---|---|---|"]
    lines += [f"| {name} | {version} | {licence} |" for name, version, licence in _installed()]
    lines += ["", "## Within it, served to browsers", "", "| Package | Licence |", "|---|---|"]
    lines += sorted({f"| {file.package} | {file.licence} |" for file in vendored(FOLDERS[0])})
    return "\n".join(lines) + "\n"


def _installed() -> Iterator[tuple[str, str, str]]:
    for line in (_HOME / "requirements/runtime.txt").read_text().splitlines():
        if not line[:1].isalpha():
            continue
        pin = Requirement(line.removesuffix("\\"))
        if pin.marker is None or pin.marker.evaluate():
            yield pin.name, str(pin.specifier).removeprefix("=="), _licence(pin.name)


def _licence(name: str) -> str:
    said = metadata(name)
    classified = [each.rpartition(" :: ")[2] for each in said.get_all("Classifier", []) if each.startswith("License")]
    named = (said["License-Expression"], said["License"], " / ".join(classified))
    first = next((each for each in named if each), None)
    assert first is not None, f"{name} names no licence: look for it, and decide whether it may be used"
    return first.splitlines()[0]


if __name__ == "__main__":
    PATH.write_text(notices())

"""Which receiver this is: its version, and the commit that it was built from or runs from."""

import subprocess  # nosec B404
from functools import cache
from pathlib import Path

VERSION = "0.1.0"
_PACKAGE = Path(__file__).parent
# Written into the wheel by hatch_build.py.
_BUILT_FROM = _PACKAGE / "COMMIT"


def name() -> str:
    """Version and commit: ``0.1.0 (0123456789ab)``, the version alone where no commit is known."""
    return f"{VERSION} ({commit()})" if commit() else VERSION


@cache
def commit() -> str:
    """Twelve digits, with ``-dirty`` where a checkout was changed since; empty where nobody knows."""
    try:
        return _BUILT_FROM.read_text().strip()
    except FileNotFoundError:
        return _of_checkout(_PACKAGE.parent)


def _of_checkout(folder: Path) -> str:
    # Else git would name the commit of whatever repository an installation happens to lie in.
    if not (folder / ".git").exists():
        return ""
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        # Nothing of it comes from outside.
        told = subprocess.run(describe, cwd=folder, capture_output=True, text=True, timeout=10)  # nosec B603
    except (OSError, subprocess.TimeoutExpired):
        return ""  # no git, or none that answers: the version is known all the same
    return told.stdout.strip()

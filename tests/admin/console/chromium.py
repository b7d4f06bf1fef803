"""Debian's Chromium, which asks nothing of anybody: how it is started, for tests and for pictures."""

from typing import Any

_QUIET = ("background-networking", "component-update", "sync", "quic", "gpu")

LAUNCH: dict[str, Any] = {
    "executable_path": "/usr/bin/chromium",
    "args": ["--no-sandbox", "--no-first-run", *(f"--disable-{what}" for what in _QUIET)],
}

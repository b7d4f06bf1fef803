"""Bytes that are on disk when a call returns, and folders that know of their files. Everything raises OSError."""

import os
from pathlib import Path


def write_all(file: int, content: bytes) -> None:
    """Write all of ``content``, which the system may take in pieces."""
    remaining = memoryview(content)
    while remaining:
        remaining = remaining[os.write(file, remaining) :]


def fsync_folder(folder: Path) -> None:
    """Have on disk which files a folder has."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Backups: everything that the database holds in one file, and back into an empty database.

A backup is written from one snapshot, in which nobody waits for it, and put back in one transaction: whole or not at
all. Both databases are read row by row and table by table, without any program of theirs.
"""

from .archive import Backup, opened
from .errors import BackupError, Broken, NotEmpty, Unfit
from .making import back_up
from .manifest import Content, Manifest
from .restoring import Restored, occupied, refuse_unfit, restore

__all__ = [
    "Backup",
    "BackupError",
    "Broken",
    "Content",
    "Manifest",
    "NotEmpty",
    "Restored",
    "Unfit",
    "back_up",
    "occupied",
    "opened",
    "refuse_unfit",
    "restore",
]

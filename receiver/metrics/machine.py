"""What this machine's disk says: what waits in the spools, and how much room is left."""

import shutil
from collections.abc import Iterator

from prometheus_client.core import Metric

from receiver.config import Settings
from receiver.intake.spool import spool_of
from receiver.tally import Role

from .family import Family

_ROLES = tuple(Role)
_SPOOL = ("spool",)
PUSHED, PULLED = "pushed", "pulled"

FILES = Family("receiver_spool_files", "Files in which acknowledged or pulled replies wait", _ROLES, _SPOOL)
BYTES = Family("receiver_spool_bytes", "Bytes of the folder of the spool", _ROLES, _SPOOL)
DAMAGED = Family("receiver_spool_damaged_files", "Files that were set aside, since they can't be read", _ROLES, _SPOOL)
READABLE = Family("receiver_spool_readable", "1 where the folder can be read; else nothing is sent", _ROLES, _SPOOL)
STOPS = Family(
    "receiver_spool_stops",
    "Unsubscribes that wait in the spool of pushed replies; of a long one, those in its first megabyte",
    _ROLES,
)
FREE = Family("receiver_disk_free_bytes", "Free room on the disk of DATA_DIR", _ROLES)
SIZE = Family("receiver_disk_size_bytes", "Size of the disk of DATA_DIR", _ROLES)


def machine(settings: Settings) -> Iterator[Metric]:
    """What can be seen there now; what can't be read is left out, and ``READABLE`` says so."""
    yield from _pushed(settings)
    try:
        usage = shutil.disk_usage(settings.data_dir)
    except OSError:
        return  # no such folder yet: there is no disk to speak of
    yield FREE.is_(usage.free)
    yield SIZE.is_(usage.total)


def _pushed(settings: Settings) -> Iterator[Metric]:
    spool = spool_of(settings)
    try:
        found, stops = spool.look(), spool.stops()
    except OSError:
        yield READABLE.is_(0, PUSHED)
        return
    yield READABLE.is_(1, PUSHED)
    yield FILES.is_(found.files, PUSHED)
    yield BYTES.is_(found.size, PUSHED)
    yield DAMAGED.is_(found.damaged, PUSHED)
    yield STOPS.is_(stops)

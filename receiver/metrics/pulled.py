"""What waits in the spool of pulled replies, for the roles that know of the gateway."""

from collections.abc import Iterator

from prometheus_client.core import Metric

from receiver.config import Settings
from receiver.gateway.polling import Spool

from .machine import DAMAGED, FILES, PULLED, READABLE


def pulled(settings: Settings) -> Iterator[Metric]:
    """What can be seen there now."""
    spool = Spool(settings.data_dir)
    try:
        waiting, corrupt = len(spool.waiting()), spool.corrupt()
    except OSError:
        yield READABLE.is_(0, PULLED)
        return
    yield READABLE.is_(1, PULLED)
    yield FILES.is_(waiting, PULLED)
    yield DAMAGED.is_(corrupt, PULLED)

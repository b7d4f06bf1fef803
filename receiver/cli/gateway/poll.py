"""``receiver gateway poll``: pull replies from the gateway, by hand."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from receiver.cli.database import opened, settings
from receiver.config import Settings
from receiver.gateway.client import GatewayError, Refusal
from receiver.gateway.polling import APART, Became, Poller, PollingError, lease_seconds, task_name
from receiver.store.errors import StoreError
from receiver.worker.failure import described
from receiver.worker.lease import Lease, LeaseLost, Leases
from receiver.worker.roster import Parts

_UNAVAILABLE = 3
_TICK = 0.1


class _Down(click.ClickException):
    exit_code = _UNAVAILABLE


@click.command("poll")
@click.option("--follow", is_flag=True, help="Go on until Ctrl-C.")
def poll(follow: bool) -> None:
    """Pull replies from the gateway until nothing is unread, and say how many.

    Each is stored as a reply that was pushed: 0000 is in force at once. The gateway wants its calls more than 5 seconds
    apart, so ten replies take a minute. Only one may pull an account's replies at a time: exit status 1 where another
    does, most likely a worker (RECEIVER_POLL=on), and where the gateway refuses it; 3 where the gateway or the database
    is down.

    \b
    Examples:
      receiver gateway poll
      receiver gateway poll --follow
    """
    chosen = settings()
    with opened(chosen) as store:
        parts = Parts.of(chosen, store)
        try:
            poller = parts.poller()
            with _stoppable() as stop, _Shown() as shown:
                failure = _pull(chosen, poller, Leases(store), stop, shown, follow=follow)
        finally:
            parts.intake.close()
    click.echo(_summary(poller))
    if failure is not None:
        raise _explained(failure) from failure


def _pull(
    chosen: Settings, poller: Poller, leases: Leases, stop: "_Stop", shown: "_Shown", *, follow: bool
) -> Exception | None:
    """Pull until it is done; what it ended with, where that was an error."""

    def wait(seconds: float) -> bool:
        what = f"the next call is in {seconds:.1f} s" if seconds else "asking"
        shown.progress(f"{_summary(poller)}; {what}")
        return stop.wait(seconds)

    while True:
        lease = _claimed(chosen, leases)
        try:
            poller.run(lease, wait, until_empty=not follow)
        except (GatewayError, PollingError, LeaseLost, StoreError, OSError) as failure:
            rest = lease.rest_after_failure(APART)
            try:
                lease.finish(rest, error=described(failure))
            except StoreError as gone:
                # The database is: who wants to pull waits until the lease has run out.
                click.echo(f"the lease could not be given back: {described(gone)}", err=True)
            if not follow or isinstance(failure, Refusal):
                return failure
            shown.line(f"{failure}; again in {rest:.0f} s")
            if wait(rest):
                return None
        else:
            lease.finish(APART, detail=poller.told)
            return None


def _claimed(chosen: Settings, leases: Leases) -> Lease:
    name = task_name(chosen.gateway_name or "")
    seen = leases.look(name)
    lease = None if seen.holder else leases.claim(name, seen, lease_seconds(chosen.gateway_timeout))
    if lease is None:
        holder = leases.look(name).holder or "another process"
        raise click.ClickException(
            f'{holder} pulls the replies of this account already: see "receiver worker tasks"; stop it to pull by hand'
        )
    return lease


def _explained(failure: Exception) -> click.ClickException:
    if isinstance(failure, Refusal | LeaseLost):
        return click.ClickException(str(failure))
    return _Down(str(failure))


def _summary(poller: Poller) -> str:
    became = poller.became
    stored = became[Became.REPLY] + became[Became.UNSUBSCRIBE]
    parts = [f"{stored:,} {'reply' if stored == 1 else 'replies'} pulled"]
    if became[Became.UNSUBSCRIBE]:
        parts.append(f"{became[Became.UNSUBSCRIBE]:,} of them unsubscribed")
    if became[Became.QUARANTINED]:
        parts.append(f"{became[Became.QUARANTINED]:,} quarantined")
    if became[Became.CORRUPT]:
        parts.append(f"{became[Became.CORRUPT]:,} set aside as corrupt")
    return ", ".join(parts)


class _Stop:
    """Whether Ctrl-C was pressed. A call is never broken off: what it hands out would be lost."""

    def __init__(self) -> None:
        self._asked = False

    def ask(self, *_: Any) -> None:
        self._asked = True

    def wait(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not self._asked and (left := until - time.monotonic()) > 0:
            time.sleep(min(_TICK, left))
        return self._asked


@contextmanager
def _stoppable() -> Iterator[_Stop]:
    stop = _Stop()
    before = {signum: signal.signal(signum, stop.ask) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


class _Shown:
    """How far it is: a line that changes, where standard error is a terminal; and lines that stay."""

    def __init__(self) -> None:
        self._status: Any = None

    def __enter__(self) -> "_Shown":
        if sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True, highlight=False).status("asking")
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def progress(self, line: str) -> None:
        if self._status is not None:
            self._status.update(line)

    def line(self, line: str) -> None:
        if self._status is not None:
            self._status.console.print(line, markup=False)
        else:
            click.echo(line, err=True)

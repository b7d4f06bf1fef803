"""``receiver simulate``: plays the gateway, to try an installation out and to test it under load."""

import sys
import time
from collections.abc import Callable

import click

from receiver.config import Settings
from receiver.config import load as load_settings
from receiver.gateway.simulator.load import Load
from receiver.gateway.simulator.push import Letter, Push
from receiver.gateway.simulator.script import simulated_phone
from receiver.gateway.simulator.target import Target, UnusableTarget
from receiver.gateway.simulator.wire import Encoding, Unencodable
from receiver.store.store import Store

from .gateway import gateway
from .report import Form, show_account, show_tally, show_unreachable

_DONE, _NOT_ALL, _UNREACHABLE = 0, 1, 3

_url = click.option("--url", help="Where to push. [default: this installation's callback on 127.0.0.1]")
_token = click.option("--token", help="Sent as ?token=. [default: RECEIVER_CALLBACK_TOKEN, where --url is not given]")
_rate = click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Replies per second, at most.")
_timeout = click.option(
    "--timeout", type=click.FloatRange(min=0.1), default=10.0, show_default=True, help="Seconds to wait for an answer."
)
_remote = click.option("--allow-remote", is_flag=True, help="Push to another machine. Only one that is yours.")
_format = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    callback=lambda _context, _option, value: value or ("table" if sys.stdout.isatty() else "json"),
    help="table (on a terminal) or json (in a pipe).",
)
_encodings = click.Choice([encoding.value for encoding in Encoding])


@click.group("simulate")
def command() -> None:
    """Play the gateway: be one to send through, or push replies to a receiver."""


command.add_command(gateway)


@command.command()
@_url
@_token
@click.option("--src", help=f"Phone that replies. [default: {simulated_phone(0)}, which is nobody's]")
@click.option("--random-src", is_flag=True, help="Another phone each time, none of them anybody's.")
@click.option("--dst", default="10690000", show_default=True, help="Service number that is replied to.")
@click.option("--msg", default="收到，谢谢", show_default=True, help="Text. 0000 unsubscribes the phone.")
@click.option(
    "--charset",
    type=_encodings,
    default=Encoding.UTF_8.value,
    show_default=True,
    help="raw-…: bytes not escaped; escape: %uXXXX.",
)
@click.option("--post", is_flag=True, help="Push a form instead of a query.")
@click.option("--count", type=click.IntRange(min=1), default=1, show_default=True, help="How many times.")
@_rate
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Connections to push over at once.",
)
@_timeout
@_remote
@_format
def push(
    url: str | None, token: str | None, src: str | None, random_src: bool, dst: str, msg: str, charset: str, post: bool,
    count: int, rate: float | None, concurrency: int, timeout: float, allow_remote: bool, form: Form,
) -> None:  # fmt: skip
    """Push one reply, once or many times, and count the answers.

    \b
    receiver simulate push --msg 0000 --src 15400000001
    receiver simulate push --msg 退订 --charset raw-gbk --count 1000 --random-src --rate 50

    Exit status: 0 when every one was answered 0; 1 when any was not; 3 when there is no server.
    """
    if src is not None and random_src:
        raise click.UsageError("--src and --random-src exclude each other")
    settings = load_settings()
    target = _target(url, settings, allow_remote).with_token(_token_of(token, url, settings))
    letter = Letter(
        src=None if random_src else simulated_phone(0) if src is None else src,
        dst=dst,
        msg=msg,
        encoding=Encoding(charset),
        post=post,
    )
    try:
        pushing = Push(target, letter, count=count, rate=rate, connections=concurrency, timeout=timeout)
    except Unencodable as lacking:
        raise click.UsageError(f"--msg can't be written so: {lacking}") from None
    started = time.monotonic()
    pushing.start()
    _watch(pushing.wait, pushing.stop, lambda: pushing.tally.pushed, count if count > 1 else None)
    show_tally(pushing.tally, time.monotonic() - started, count, form)
    if not pushing.tally.answered:
        show_unreachable(target)
        raise click.exceptions.Exit(_UNREACHABLE)
    raise click.exceptions.Exit(_DONE if pushing.tally.acknowledged == count else _NOT_ALL)


@command.command()
@_url
@_token
@click.option(
    "--count", type=click.IntRange(min=1), help="How many replies. [default: 10000, or as many as --seconds allows]"
)
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="How long, at most.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1000),
    default=16,
    show_default=True,
    help="Connections to push over at once.",
)
@_rate
@click.option(
    "--unsubscribes",
    type=click.FloatRange(0, 1),
    default=0.02,
    show_default=True,
    help="Share of 0000, each of another phone.",
)
@click.option(
    "--charset",
    "charsets",
    type=_encodings,
    multiple=True,
    help="Write the texts so; repeat for several. [default: all, mixed]",
)
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    help="Seconds that what is missing may still take to appear.",
)
@_timeout
@_remote
@_format
def load(
    url: str | None, token: str | None, count: int | None, seconds: float | None, concurrency: int, rate: float | None,
    unsubscribes: float, charsets: tuple[str, ...], wait: float, timeout: float, allow_remote: bool, form: Form,
) -> None:  # fmt: skip
    """Push many different replies at once, then check in the database that each acknowledged one is there exactly once.

    The database is read by this installation's settings (RECEIVER_DATABASE_URL): they must be the server's. The phones
    are nobody's, but the replies and opt-outs stay: use a database made for this. A server that dies meanwhile is
    waited for.

    Exit status: 0 when all is well; 1 when anything acknowledged is lost, stored twice, altered or not in force; 3
    when there is no server.
    """
    settings = load_settings()
    target = _target(url, settings, allow_remote).with_token(_token_of(token, url, settings))
    count = count or (None if seconds else 10_000)
    driving = Load(
        target,
        connections=concurrency,
        count=count,
        rate=rate,
        unsubscribes=unsubscribes,
        encodings=[Encoding(charset) for charset in charsets] or list(Encoding),
        timeout=timeout,
    )
    started = time.monotonic()
    driving.start()
    _watch(driving.wait, driving.stop, lambda: driving.tally.pushed, count, seconds)
    elapsed = time.monotonic() - started
    account = driving.account
    if not account.sent:
        show_unreachable(target)
        raise click.exceptions.Exit(_UNREACHABLE)
    store = Store(settings.url, pooled=False)
    try:
        found = driving.audit(store, within=wait)
    finally:
        store.close()
    show_account(account, found, driving.tally, elapsed, form)
    if account.acknowledged and not found.stored:
        click.echo(f"Nothing of it is in {store.description}. Is that the server's database?", err=True)
    raise click.exceptions.Exit(_DONE if found.ok else _NOT_ALL)


def _target(url: str | None, settings: Settings, allow_remote: bool) -> Target:
    host, _, port = settings.callback_bind.rpartition(":")
    own = f"http://{'127.0.0.1' if host in ('0.0.0.0', '[::]', '') else host}:{port}{settings.callback_path}"
    try:
        return Target.of(url or own, allow_remote=allow_remote)
    except UnusableTarget as unusable:
        raise click.UsageError(str(unusable)) from None


def _token_of(token: str | None, url: str | None, settings: Settings) -> str | None:
    # Our own secret is for our own server alone.
    if token is None and url is None and settings.callback_token is not None:
        return settings.callback_token.get_secret_value()
    return token


def _watch(
    wait: Callable[[float | None], bool],
    stop: Callable[[], None],
    done: Callable[[], int],
    count: int | None,
    seconds: float | None = None,
) -> None:
    """Wait until it is over, with a bar on a terminal. Ctrl-C ends it early, and the result is shown all the same."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    deadline = None if seconds is None else time.monotonic() + seconds
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    console = Console(stderr=True)
    shown = console.is_terminal and (count is not None or seconds is not None)
    try:
        with Progress(*columns, console=console, transient=True, disable=not shown) as progress:
            task = progress.add_task("pushing", total=count)
            while not wait(0.1) and (deadline is None or time.monotonic() < deadline):
                progress.update(task, completed=done())
    except KeyboardInterrupt:
        click.echo("Stopped; what was pushed until then:", err=True)
    finally:
        stop()

"""``receiver simulate gateway``: the gateway's whole HTTP interface on this machine, until Ctrl-C."""

import json
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import click

from receiver.cli.output import Column, render
from receiver.gateway.simulator.gateway import (
    DEMO,
    Account,
    Fault,
    Habits,
    Page,
    Route,
    Rules,
    SimulatedGateway,
    fault_names,
)
from receiver.gateway.simulator.target import Target, UnusableTarget
from receiver.gateway.simulator.wire import Encoding, Unencodable

from .options import AccountType, FaultType, RefusalType, networks_of

_DEFAULTS = Habits()
_HELP = f"""Be the SMS gateway until Ctrl-C: nothing is sent, and a page shows what phones would see.

\b
receiver simulate gateway
receiver simulate gateway --reply-rate 0.3 --push-to http://127.0.0.1:8000/recv.asp
receiver simulate gateway --fault timeout=5% --fault gsend:cut=every:10 --seed 1
receiver simulate gateway --refuse 13900000001=6009 --balance 10

A fault is written [PAGE:]KIND=SHARE or [PAGE:]KIND=every:N. The call is carried out and its answer lost or deformed;
where the kind ends in -before, nothing is carried out. Kinds: {", ".join(fault_names())}. Pages: {", ".join(Page)}.
"""
_share = click.FloatRange(0, 1)


@click.command("gateway", help=_HELP)
@click.option("--port", type=click.IntRange(0, 65_535), default=8900, show_default=True, help="0: any that is free.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--path", default="/send/", show_default=True, help="Folder of its pages.")
@click.option("--charset", type=click.Choice(["gb18030", "gbk", "utf-8"]), default="gb18030", show_default=True)
@click.option(
    "--account",
    "accounts",
    type=AccountType(),
    multiple=True,
    help=f"Repeat for several. [default: {DEMO.name}:{DEMO.password}]",
)
@click.option(
    "--balance", type=click.IntRange(0), default=DEMO.balance, show_default=True, help="Texts of each account."
)
@click.option("--short-name", default=DEMO.short_name, show_default=True, help="Stands before each text.")
@click.option("--account-code", type=click.IntRange(6001, 6022), help="Answer every call so: 6002 a stopped account …")
@click.option("--allow-from", "networks", multiple=True, callback=networks_of, help="Who may call; others get 6012.")
@click.option(
    "--forbidden-word", "words", multiple=True, help=f"Answered 6005. [default: {', '.join(Rules().forbidden_words)}]"
)
@click.option(
    "--refuse",
    "refusals",
    type=RefusalType(),
    multiple=True,
    help="6004: a protected phone; 6009: a blacklisted one …",
)
@click.option(
    "--post",
    type=click.Choice(["taken", "refused", "ignored"]),
    default="taken",
    show_default=True,
    help="refused: answered 405; ignored: read as if it had no parameters.",
)
@click.option("--fault", "faults", type=FaultType(), multiple=True, help="What goes wrong, how often; see above.")
@click.option("--slow-seconds", type=click.FloatRange(0), default=3.0, show_default=True, help="How late slow is.")
@click.option("--reply-rate", type=_share, default=0.0, show_default=True, help="Share of texts that people answer.")
@click.option("--reply", "replies", multiple=True, help="What they answer, at random. [default: a few phrases]")
@click.option("--stop-share", type=_share, default=_DEFAULTS.stops, show_default=True, help="Share of 0000 in it.")
@click.option(
    "--reply-after",
    type=click.FloatRange(0, 86_400),
    default=_DEFAULTS.after,
    show_default=True,
    help="Seconds until they answer, at most.",
)
@click.option(
    "--unasked", type=click.FloatRange(0, 100), default=0.0, show_default=True, help="Replies per second of others."
)
@click.option("--push-to", metavar="URL", help="Push replies there, a receiver's callback. [default: to the inbox]")
@click.option(
    "--push-charset",
    type=click.Choice([encoding.value for encoding in Encoding]),
    help="How pushes are written. [default: --charset]",
)
@click.option("--duplicates", is_flag=True, help="With --push-to: to the inbox too, each reply twice.")
@click.option("--allow-remote", is_flag=True, help="Listen for other machines, push to others. Only yours.")
@click.option("--seed", type=int, help="Repeats what is random.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    callback=lambda _context, _option, value: value or ("table" if sys.stdout.isatty() else "json"),
    help="Of the summary at the end: table (on a terminal) or json (in a pipe).",
)
def gateway(
    port: int, host: str, path: str, charset: str, accounts: tuple[Account, ...], balance: int, short_name: str,
    account_code: int | None, networks: Any, words: tuple[str, ...], refusals: tuple[tuple[str, int], ...], post: Any,
    faults: tuple[Fault, ...], slow_seconds: float, reply_rate: float, replies: tuple[str, ...], stop_share: float,
    reply_after: float, unasked: float, push_to: str | None, push_charset: str | None, duplicates: bool,
    allow_remote: bool, seed: int | None, form: str,
) -> None:  # fmt: skip
    _refuse_remote(host, allow_remote)
    if duplicates and push_to is None:
        raise click.UsageError("--duplicates needs --push-to: replies are pushed there, and wait in the inbox too")
    route = Route(_target(push_to, allow_remote), Encoding(push_charset or charset), duplicates)
    habits = Habits(reply_rate, replies or _DEFAULTS.texts, stop_share, reply_after, unasked)
    known = {account.name: account for account in accounts or (DEMO,)}
    changed = {"balance": balance, "short_name": short_name, "refusal": account_code, "networks": networks}
    try:
        simulated = SimulatedGateway(
            [replace(account, **changed) for account in known.values()],
            [replace(fault, seconds=slow_seconds) for fault in faults],
            rules=Rules(words or Rules().forbidden_words, phones=dict(refusals)),
            habits=habits,
            route=route,
            charset=charset,
            post=post,
            host=host,
            port=port,
            path=path,
            seed=seed,
        )
    except Unencodable as lacking:
        raise click.UsageError(f"--reply can't be pushed: {lacking}") from None
    except OSError as error:
        raise click.ClickException(f"can't listen at {host}:{port}: {error.strerror}. Choose another --port") from None
    # Before anybody is told that it runs: who is told may end it at once.
    with _asked_to_stop() as stop, simulated:
        _announce(simulated, charset)
        stop.wait()
    _summarise(simulated, form)


def _refuse_remote(host: str, allow_remote: bool) -> None:
    try:
        remote = not ip_address(host).is_loopback
    except ValueError:
        raise click.UsageError("--host takes an address, like 127.0.0.1") from None
    if remote and not allow_remote:
        raise click.UsageError(f"other machines can reach {host}: add --allow-remote if they may, or use 127.0.0.1")


def _target(url: str | None, allow_remote: bool) -> Target | None:
    try:
        return None if url is None else Target.of(url, allow_remote=allow_remote)
    except UnusableTarget as unusable:
        raise click.UsageError(f"--push-to: {unusable}") from None


def _announce(simulated: SimulatedGateway, charset: str) -> None:
    """Where it is, on standard error: a pipe is to hold the summary alone."""
    account = simulated.account()
    settings = {"URL": simulated.url, "NAME": account.name, "PASSWORD": account.password, "CHARSET": charset}
    click.echo("The simulated gateway runs. To use it, set:\n", err=True)
    for name, value in settings.items():
        click.echo(f"export RECEIVER_GATEWAY_{name}={shlex.quote(value)}", err=True)
    click.echo(f"\nWhat it sends is shown at {simulated.page_url}. Ctrl-C ends it.", err=True)


@contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _summarise(simulated: SimulatedGateway, form: str) -> None:
    calls = simulated.calls
    counts = {
        "calls": (len(calls), ""),
        "faults": (sum(call.fault is not None for call in calls), "calls that something was done to"),
        "not_carried_out": (sum(not call.carried_out for call in calls), "broken off before anything was done"),
        "refused": (sum(bool(call.code) for call in calls), "answered with a code"),
        "texts": (len(simulated.sent), "accepted, one for each phone"),
        "delivered": (len(simulated.delivered), "of them seen by phones; the others are scheduled"),
        "texts_after_stop": (len(simulated.after_stop), "to phones whose 0000 had been handed over"),
        "replies": (len(simulated.replies), "from phones"),
        "unread": (sum(simulated.unread(account.name) for account in simulated.accounts), "wait for readsms.asp"),
        "pushed": (simulated.pushed.total(), "replies pushed"),
        "acknowledged": (simulated.pushed["0"], "of them answered 0"),
        "violations": (len(simulated.violations), "readsms.asp within 5 s of its last answer"),
        "balance": (sum(account.balance for account in simulated.accounts), "texts left"),
    }
    if form == "json":
        click.echo(json.dumps({name: count for name, (count, _) in counts.items()}))
        return
    columns = [Column("name", "summary"), Column("count", "count"), Column("meaning", "meaning")]
    rows = [
        {"name": name.replace("_", " "), "count": f"{count:>9,}", "meaning": meaning}
        for name, (count, meaning) in counts.items()
    ]
    render(rows, columns, "table")

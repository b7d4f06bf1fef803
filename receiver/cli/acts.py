"""What a person who changes the register must say, who they are and why, and how long work is watched."""

import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from receiver.access import Act, Action
from receiver.access.audit import Via
from receiver.optout.register import LONGEST_ACTOR, LONGEST_REASON
from receiver.vocabulary.register import SUBSCRIBER, SYSTEM


class Words(click.ParamType[str]):
    """Text that says something, in no more characters than ``longest``."""

    name = "text"

    def __init__(self, longest: int) -> None:
        self._longest = longest

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        words = str(value).strip()
        if not words or not words.isprintable():
            self.fail("write one line of text: it is part of the proof", param, ctx)
        if len(words) > self._longest:
            self.fail(f"{len(words)} characters are more than {self._longest}: shorten it", param, ctx)
        return words


class _Actor(Words):
    """A person's name. The register's own words for who acts are not for people."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        name = super().convert(value, param, ctx)
        if name.casefold() in (SUBSCRIBER, SYSTEM):
            self.fail(f"{name!r} is what the ledger calls another: write your own name", param, ctx)
        return name


def actor_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--actor``."""
    actor = _Actor(LONGEST_ACTOR)
    return click.option("--actor", type=actor, required=True, help="Who does this: the ledger keeps it.")(command)


def sender_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--actor``, by default the person who is logged in to this machine."""
    return _by_default_who_is_logged_in("Who does this: it is kept with the send.")(command)


def doer_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--actor``, by default the person who is logged in to this machine, for the audit."""
    return _by_default_who_is_logged_in("Who does this: the audit keeps it.")(command)


def _by_default_who_is_logged_in(help_: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--actor",
        type=_Actor(LONGEST_ACTOR),
        required=True,
        default=_who_is_logged_in,
        show_default="who is logged in",
        help=help_,
    )


def reason_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--reason``."""
    reason = Words(LONGEST_REASON)
    return click.option("--reason", type=reason, required=True, help="Why: the ledger keeps it.")(command)


def own_act(action: Action, target: str | None = None, **detail: Any) -> Act:
    """What whoever is logged in to this machine does, for the audit."""
    return Act(action, _who_is_logged_in() or "unknown", Via.CLI, target, detail)


def _who_is_logged_in() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name: then it is to be said
        return None


def confirm_loss(question: str) -> None:
    """Have whoever sits at the terminal agree. Raises Abort, and UsageError where nobody does."""
    if not sys.stdin.isatty():
        raise click.UsageError("this loses data: say --yes where nobody can be asked")
    click.confirm(question, abort=True, err=True)


@contextmanager
def watched(description: str) -> Iterator[Callable[[int, int], None]]:
    """What takes how much is done, of how much: a bar where standard error is a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda _done, _of: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    with Progress(TextColumn("{task.description}"), *columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, of: progress.update(task, completed=done, total=of)

"""``receiver keys``: who may use the JSON API, and for what."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import click

from receiver.access import Act, Action, Key, Keys, NoSuchKey, Scope
from receiver.access.audit import Via
from receiver.access.scopes import MEANINGS

from .acts import sender_option
from .database import opened, settings
from .options import Moment, after_option, limit_option
from .output import Column, Format, details, format_option, hint, render

_LIFE = re.compile(r"([1-9][0-9]{0,4})([dwy])")
_DAYS = {"d": 1, "w": 7, "y": 365}
_STYLES = {"revoked": "dim", "expired": "yellow"}

_COLUMNS = (
    Column("prefix", "key", fixed=True),
    Column("name", "name", widest=True),
    Column("scopes", "may"),
    Column("state", "state", style=lambda state: _STYLES.get(state, "green")),
    Column("expires_at", "expires (UTC+8)", fixed=True),
    Column("last_used_at", "last used (UTC+8)", fixed=True),
    Column("created_at", "made (UTC+8)", fixed=True),
    Column("created_by", "by"),
    Column("id"),
)
_MADE = (*_COLUMNS, Column("token", "token", fixed=True))


@click.group("keys")
def command() -> None:
    """Who may use the JSON API (/api/v1 on the admin port), and for what.

    \b
    Examples:
      receiver keys create crm --scope messages:read --scope optouts:read --expires 1y
      receiver keys list
      receiver keys revoke rcv_3f9a1c2b
    """


class _Expiry(Moment):
    """A time, or how long from now: 90d, 12w, 1y."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        life = _LIFE.fullmatch(str(value))
        if life:
            return datetime.now(UTC) + timedelta(days=int(life[1]) * _DAYS[life[2]])
        return super().convert(value, param, ctx)


@command.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([str(each) for each in Scope]),
    multiple=True,
    required=True,
    help="What it may do; repeat for several. "
    + " ".join(f"{scope}: {meaning}." for scope, meaning in MEANINGS.items()),
)
@click.option("--expires", type=_Expiry(), help="When it ends: 90d, 12w, 1y, or a date or time. Never without it.")
@sender_option
@format_option
def create(name: str, scopes: tuple[str, ...], expires: datetime | None, actor: str, chosen_format: Format) -> None:
    """Make the key NAME, and print its token: it is shown this once, and kept nowhere.

    \b
    Examples:
      receiver keys create crm --scope messages:read
      TOKEN=$(receiver keys create night-job --scope sms:send --expires 90d --format json | jq -r .token)
    """
    chosen = [Scope(scope) for scope in scopes]
    act = _act(Action.KEY_CREATED, actor, name, scopes=sorted(set(scopes)))
    with opened(settings()) as store:
        try:
            made = Keys(store).create(name, chosen, actor=actor, expires_at=expires, act=act)
        except ValueError as wrong:
            raise click.UsageError(str(wrong)) from None
    details({**_row(made.key, chosen_format), "token": made.token}, _MADE, chosen_format)
    hint("Keep the token where secrets are kept: it can't be shown again.")


@command.command("list")
@limit_option
@after_option
@format_option
def list_(limit: int, after: UUID | None, chosen_format: Format) -> None:
    """List keys, newest first: what each may do, until when, and when it was last used."""
    with opened(settings()) as store:
        found = Keys(store).page(older_than=after, limit=limit + 1)
    render([_row(key, chosen_format) for key in found[:limit]], _COLUMNS, chosen_format)
    if len(found) > limit:
        hint(f"There are more. Continue with: --after {found[limit - 1].id}")


@command.command("revoke")
@click.argument("key", metavar="KEY")
@sender_option
def revoke(key: str, actor: str) -> None:
    """End KEY, named by its prefix (rcv_…) or id, at once and for good. The same again changes nothing."""
    try:
        wanted: UUID | str = UUID(key)
    except ValueError:
        wanted = key
    with opened(settings()) as store:
        try:
            ended = Keys(store).revoke(wanted, actor=actor, act=_act(Action.KEY_REVOKED, actor, key))
        except NoSuchKey as unknown:
            raise click.ClickException(str(unknown)) from None
    hint(f"{ended.prefix} ({ended.name}) opens nothing any more.")


def _act(action: Action, actor: str, target: str, **detail: Any) -> Act:
    return Act(action, actor, Via.CLI, target, detail)


def _row(key: Key, chosen_format: Format) -> Mapping[str, Any]:
    scopes = sorted(key.scopes)
    return {
        "prefix": key.prefix,
        "name": key.name,
        "scopes": [str(scope) for scope in scopes] if chosen_format == "json" else " ".join(scopes),
        "state": key.state(datetime.now(UTC)),
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "created_at": key.created_at,
        "created_by": key.created_by,
        "id": key.id,
    }

"""``receiver config``: the settings in force."""

import os
import re
from collections.abc import Iterator
from typing import Any

import click
from pydantic import SecretStr

from receiver import config
from receiver.config import PREFIX, Settings

from .output import Column, Format, format_option, render

_MASK = "********"
_PASSWORD = re.compile(r"(?<=://)([^:/@]*):.*@")
_PASSWORD_PARAMETER = re.compile(r"(?<=[?&])([^=&]*pass[^=&]*)=[^&]*", re.IGNORECASE)

_COLUMNS = (
    Column("name", "setting", fixed=True),
    Column("value", "value"),
    Column("source", "from", style=lambda source: "dim" if source == "default" else "green"),
    Column("description", "meaning", style=lambda _: "dim"),
)


@click.command("config")
@format_option
def command(chosen_format: Format) -> None:
    """Print every setting: its value (secrets masked), where it comes from, and what it means.

    Settings are environment variables, or lines of .env in the present folder; the environment has precedence. Secrets
    may be in a file of their own, named by the variable with _FILE behind it.

    \b
    Examples:
      receiver config
      RECEIVER_CHARSET=gb18030 receiver config --format json
    """
    settings = config.load()
    render(_rows(settings), _COLUMNS, chosen_format)
    for warning in config.unknown():
        click.echo(f"Warning: {warning}", err=True)


def _rows(settings: Settings) -> Iterator[dict[str, Any]]:
    for name, field in Settings.model_fields.items():
        value = settings.url if name == "database_url" else getattr(settings, name)
        variable = PREFIX + name.upper()
        yield {
            "name": variable,
            "value": _shown(value),
            "source": _source(settings, name, variable),
            "description": field.description,
        }


def _shown(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, SecretStr):
        return _MASK
    if isinstance(value, list):
        return ",".join(map(str, value))
    return without_password(str(value))


def without_password(url: str) -> str:
    """A database's URL with its password masked, even where the URL is not well formed."""
    return _PASSWORD_PARAMETER.sub(rf"\1={_MASK}", _PASSWORD.sub(rf"\1:{_MASK}@", url))


def _source(settings: Settings, name: str, variable: str) -> str:
    if name not in settings.model_fields_set:
        return "default"
    variables = {written.upper() for written in os.environ}
    if f"{variable}_FILE" in variables:
        return f"file {os.environ[f'{variable}_FILE']}"
    return "environment" if variable in variables else ".env"

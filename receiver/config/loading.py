"""Where settings come from: the environment, ``./.env``, files that hold secrets; or a caller alone."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from .settings import PREFIX, Settings

_ENV_FILE = Path(".env")
# Settings that may come as a file's path in …_FILE, as container platforms hand out secrets.
SECRETS = ("DATABASE_URL", "CALLBACK_TOKEN", "GATEWAY_PASSWORD")


class ConfigurationError(Exception):
    """Settings that can't be used; the message has a line for each, saying what to do."""


def load() -> Settings:
    """The settings from the environment and ``./.env``.

    Raises ConfigurationError with a line for each setting that can't be used.
    """
    given = _given()
    try:
        return Settings(_env_file=_ENV_FILE, **_from_files(given))
    except ValidationError as invalid:
        raise ConfigurationError("\n".join(_problem(error) for error in invalid.errors())) from None


def apart(**values: Any) -> Settings:
    """The settings that ``values`` make, by the names of the fields, whatever the environment and ``./.env`` say.

    Raises ConfigurationError as ``load`` does.
    """
    try:
        return _Apart(**values)
    except ValidationError as invalid:
        raise ConfigurationError("\n".join(_problem(error) for error in invalid.errors())) from None


class _Apart(Settings):
    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def unknown() -> list[str]:
    """A warning for each name with our prefix that is no setting, most likely a slip."""
    names = {PREFIX + name.upper() for name in Settings.model_fields}
    known = names | {f"{PREFIX}{name}_FILE" for name in SECRETS}
    return [
        f"{name} is no setting"
        + (f"; did you mean {near[0]}?" if (near := difflib.get_close_matches(name, known, 1)) else "")
        for name in sorted(_given())
        if name not in known
    ]


def _given() -> dict[str, str]:
    """What is given under our prefix: in the environment, or else in ``./.env``."""
    try:
        in_file = dotenv_values(_ENV_FILE)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"can't read {_ENV_FILE}: {error}. It must be UTF-8 text") from None
    given = {name.upper(): value or "" for name, value in in_file.items()} | dict(os.environ)
    return {name: value for name, value in given.items() if name.startswith(PREFIX)}


def _from_files(given: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in SECRETS:
        path = given.get(f"{PREFIX}{name}_FILE")
        if path is None:
            continue
        if PREFIX + name in given:
            raise ConfigurationError(f"{PREFIX}{name} and {PREFIX}{name}_FILE are both set: unset one")
        try:
            values[name.lower()] = Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{PREFIX}{name}_FILE: can't read {path}: {error}") from None
    return values


def _problem(error: Any) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{PREFIX}{str(error['loc'][0]).upper()}: {message}" if error["loc"] else message

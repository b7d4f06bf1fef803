"""The database for a command: opened where it exists with a current schema, and said what to do where not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from receiver import config
from receiver.config import PREFIX, Settings
from receiver.observability import configure_logging
from receiver.store.migrate import HEAD
from receiver.store.store import Store

_SQLITE = "sqlite:///"


class NoDatabase(click.ClickException):
    """There is none that this command could use."""

    exit_code = 3


def settings() -> Settings:
    """The settings, with the logs set so that none mixes with a command's output."""
    loaded = config.load()
    configure_logging(loaded.log_format, "warning")
    return loaded


@contextmanager
def opened(chosen: Settings) -> Iterator[Store]:
    """The database of ``chosen``, for as long as the block runs. Raises NoDatabase."""
    refuse_missing(chosen)
    store = Store(chosen.url, pooled=False)
    try:
        refuse_other_schema(store)
        yield store
    finally:
        store.close()


def refuse_missing(chosen: Settings) -> None:
    """Raise NoDatabase where a SQLite file is not there: to open it would make it."""
    path = sqlite_file(chosen)
    if path is not None and not path.exists():
        way_out = f'run "receiver db upgrade" (or "receiver serve"){or_elsewhere(chosen)}'
        raise NoDatabase(f"no database yet at {path.absolute()}: {way_out}")


def or_elsewhere(chosen: Settings) -> str:
    """That what is not here may be in another folder, as an addition to a sentence; nothing where it can't."""
    if chosen.data_dir.is_absolute():
        return ""
    return (
        f"; or it is elsewhere: {PREFIX}DATA_DIR={chosen.data_dir} is looked for in the folder where a command is run, "
        "so run it where the receiver was started, or make that setting absolute"
    )


def refuse_other_schema(store: Store) -> None:
    revision = store.revision()
    if revision is None:
        raise NoDatabase(f'no database yet in {store.description}: run "receiver db upgrade" (or "receiver serve")')
    if revision != HEAD:
        raise NoDatabase(
            f"the database has schema {revision} and this receiver {HEAD}: "
            'run "receiver db upgrade", or use the newer receiver'
        )


def sqlite_file(chosen: Settings) -> Path | None:
    """The file of a SQLite database; None where the database is a server."""
    if not chosen.url.startswith(_SQLITE):
        return None
    return Path(chosen.url.removeprefix(_SQLITE).partition("?")[0])

"""Replay as this installation reads today: what was pushed, and what was pulled, each in its own way."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from receiver.config import Settings
from receiver.intake.replay import Read, Replay
from receiver.intake.replayable import Doors
from receiver.store.store import Store
from receiver.vocabulary import Origin, Reason, Reply, Undeliverable
from receiver.vocabulary.parse import LARGEST_QUERY, parse

from .polling import Answer, read_again


def replaying(store: Store, chosen: Settings) -> Replay:
    """Replay by the present settings."""
    return Replay(store, reader(chosen), timedelta(seconds=chosen.duplicate_window))


def doors(chosen: Settings) -> Doors:
    """Who may call the callback by the present settings."""
    return Doors(chosen.allowed_sources, chosen.callback_token is not None)


def reader(chosen: Settings) -> Read:
    """How a delivery in quarantine is read today."""
    # What is kept has no token any more: a parameter of that name is part of a text.
    reading = replace(chosen.reading, has_token=False)

    def read(kept: Mapping[str, Any]) -> Reply | Undeliverable:
        raw = kept["raw"]
        # Whoever pushes has an address. What the database refused was written as a push, however it had come.
        if kept["peer"] is None and kept["reason"] != Reason.STORAGE:
            return read_again(
                Answer(kept["id"], kept["received_at"], "", chosen.gateway_charset, raw, whole=False), reading
            )
        if len(raw) > LARGEST_QUERY:
            return Undeliverable(Reason.TOO_LARGE, f"more than {LARGEST_QUERY} bytes", raw)
        said = parse(raw, reading)
        if isinstance(said, Undeliverable):
            return said
        origin = Origin.POLL if kept["peer"] is None else Origin.PUSH
        return Reply(kept["id"], kept["received_at"], origin, kept["peer"], said)

    return read

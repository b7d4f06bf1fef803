"""What people subscribe to, as it is changed: what a code and a number may be, and whose a number is."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from receiver.store import services
from receiver.store.audit_log import Note
from receiver.store.store import Store

# It stands in lists and addresses.
CODE = re.compile(r"[\w.-]{1,64}")
# Longer ones are no service numbers; the shortest are 5 digits, and a prefix may be shorter.
NUMBER = re.compile(r"[0-9]{1,32}")
LONGEST_NAME = 200


class ServiceError(Exception):
    """A change that can't be made; the message says why, and the way out. Nothing was changed."""


class NoSuchService(ServiceError):
    """No service has this code."""


class InTheWay(ServiceError):
    """What is stored contradicts it: another service has a number, or somebody subscribed."""


class NumbersTaken(InTheWay):
    """Numbers belong to other services: ``taken`` has each with the code of its service."""

    def __init__(self, taken: Sequence[tuple[str, str]]) -> None:
        whose = ", ".join(f"{number} belongs to {service}" for number, service in taken)
        super().__init__(f"{whose}: nothing was changed. Give that service other numbers before")
        self.taken = taken


def change(
    store: Store,
    code: str,
    name: str,
    *,
    numbers: Sequence[str] = (),
    prefixes: Sequence[str] = (),
    keeps_numbers: bool = False,
    note: Note | None = None,
) -> bool:
    """Add a service, or give it another name and all these numbers, unless it ``keeps_numbers``; whether it is new.

    Raises ServiceError, StoreError.
    """
    if not CODE.fullmatch(code):
        raise ServiceError("a code is 1 to 64 letters, digits, dots, hyphens or underscores")
    if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        raise ServiceError(f"a name is one line of 1 to {LONGEST_NAME} characters")
    if any(not NUMBER.fullmatch(number) for number in (*numbers, *prefixes)):
        raise ServiceError("a service number is 1 to 32 digits")
    with store.writing() as transaction:
        taken = [row for row in services.owners(transaction, numbers, prefixes) if row["service"] != code]
        if taken and not keeps_numbers:
            raise NumbersTaken([(row["number"], row["service"]) for row in taken])
        is_new = code not in services.codes(transaction)
        services.add(transaction, code, name.strip(), datetime.now(UTC))
        if not keeps_numbers:
            services.set_numbers(transaction, code, numbers, prefixes)
        if note is not None:
            note.note(transaction)
    return is_new


def remove(store: Store, code: str, *, note: Note | None = None) -> None:
    """Remove a service that nobody ever subscribed to. Raises NoSuchService, InTheWay, StoreError."""
    with store.writing() as transaction:
        if services.was_subscribed(transaction, code):
            raise InTheWay(f"{code} has or had subscribers, whose history stays: it can't be removed")
        if not services.remove(transaction, code):
            raise NoSuchService(f"there is no service {code}")
        if note is not None:
            note.note(transaction)


def with_numbers(transaction: Any, rows: Iterable[Mapping[Any, Any]]) -> list[dict[str, Any]]:
    """``rows`` of services, each with its ``numbers`` and ``prefixes``."""
    listed = [dict(row) for row in rows]
    of: dict[tuple[str, bool], list[str]] = {}
    for row in services.numbers(transaction, [row["code"] for row in listed]):
        of.setdefault((row["service"], row["is_prefix"]), []).append(row["number"])
    return [
        {**row, "numbers": of.get((row["code"], False), []), "prefixes": of.get((row["code"], True), [])}
        for row in listed
    ]

"""The invented week, told to an empty database: every reply, send, stop and change goes the way that real ones go."""

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import TypeAlias
from uuid import UUID

from receiver.intake.refusals import OTHER, SOURCES
from receiver.optout import services
from receiver.store import messages, refusals, subscriptions
from receiver.store.messages import Filter
from receiver.store.store import Store
from receiver.vocabulary import (
    Delivery,
    Origin,
    Quarantined,
    Reading,
    Reason,
    Reply,
    Undeliverable,
    earliest_id,
    phone_identity,
)
from receiver.vocabulary.parse import parse

from .deeds import Office
from .life import GATEWAY_ADDRESSES, STRANGER, Came, Week, live, refused, unusable
from .people import hire
from .words import SERVICES

_WINDOW = timedelta(seconds=120)
# A batch of the receive path.
_AT_ONCE = 64
_READING = Reading()

Deed: TypeAlias = Callable[[], None]


class Occupied(Exception):
    """There are messages in this database already: nothing was put into it."""


def fill(store: Store, now: datetime) -> Week:
    """Tell the week that ends at ``now`` to a migrated database. Raises Occupied, StoreError."""
    with store.reading() as connection:
        if messages.page(connection, Filter(), limit=1):
            raise Occupied
    return tell(store, now)


def tell(store: Store, now: datetime) -> Week:
    """As ``fill``, whatever is there already. Raises StoreError."""
    week = live(now)
    with Office(store, week) as office:
        _Filling(store, week, office).run()
    return week


class _Filling:
    def __init__(self, store: Store, week: Week, office: Office) -> None:
        self._store, self._week, self._office = store, week, office
        self._dice = random.Random(1)

    def run(self) -> None:
        self._begin()
        waiting: list[Reply] = []
        for _at, happened in self._in_turn():
            if isinstance(happened, Came):
                waiting.append(self._reply(happened))
            if waiting and (len(waiting) == _AT_ONCE or not isinstance(happened, Came)):
                self._store.record(waiting, [], _WINDOW)
                waiting = []
            if not isinstance(happened, Came):
                happened()
        self._store.record(waiting, [], _WINDOW)

    def _in_turn(self) -> Iterator[tuple[datetime, Came | Deed]]:
        """All that happened, in the order of time: the ledger is written in it."""
        everything: list[tuple[datetime, Came | Deed]] = [(came.at, came) for came in self._week.replies]
        everything += self._office.deeds()
        everything += self._kept()
        yield from sorted((each for each in everything if each[0] < self._week.now), key=lambda each: each[0])

    def _begin(self) -> None:
        """What there was before: people, services, subscribers."""
        began = self._week.day(40, 9)
        hire(self._store, began)
        for service in SERVICES:
            services.change(self._store, service.code, service.name, numbers=[service.number])
        with self._store.writing() as transaction:
            for code, phones in self._week.subscribers.items():
                for phone in phones:
                    since = began + timedelta(minutes=self._dice.randrange(30 * 24 * 60))
                    subscriptions.subscribe(transaction, _identity(phone), code, since)

    def _reply(self, came: Came) -> Reply:
        said = parse(came.query, _READING)
        if not isinstance(said, Delivery):
            raise AssertionError("an invented reply can't be read")
        return Reply(self._id(came.at), came.at, Origin.PUSH, GATEWAY_ADDRESSES[0], said)

    def _kept(self) -> Iterator[tuple[datetime, Deed]]:
        for at, query in unusable(self._week):
            why = parse(query, _READING)
            if isinstance(why, Delivery):
                raise AssertionError("an invented delivery can be read")
            kept = Quarantined(self._id(at), at, GATEWAY_ADDRESSES[0], why)
            yield at, partial(self._store.record, [], [kept], _WINDOW)
        for at, peer, query in refused(self._week):
            kept = Quarantined(
                self._id(at), at, peer, Undeliverable(Reason.SOURCE, "its address is not allowed", query)
            )
            yield at, partial(self._refuse, kept, peer)
            if peer != STRANGER:
                yield self._week.day(5, 11, 5), self._office.taking_in(kept.id)

    def _refuse(self, kept: Quarantined, peer: str) -> None:
        counted = refusals.Refusal(peer, kept.undeliverable.reason, 1, kept.received_at, kept.received_at)
        self._store.record([], [kept], _WINDOW)
        with self._store.writing() as transaction:
            refusals.add(transaction, [counted], limit=SOURCES, other=OTHER)

    def _id(self, at: datetime) -> UUID:
        return UUID(int=earliest_id(at).int | self._dice.getrandbits(60))


def _identity(phone: str) -> str:
    identity = phone_identity(phone, _READING.region)
    if identity is None:
        raise AssertionError("an invented phone is none")
    return identity

"""Whatever is done in whatever order: register, guard, subscriptions and ledger are what a model of them says."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from receiver.optout import guard
from receiver.optout.register import NotOptedOut, Register
from receiver.optout.verify import verify
from receiver.store import ledger, optouts, services, subscriptions, tables
from receiver.store.optouts import Stop
from receiver.store.store import Store
from receiver.store.subscriptions import Subscribed
from receiver.vocabulary.register import Source
from tests.intake.replies import quarantined, reply
from tests.properties import tried
from tests.store.test_record import WINDOW

PEOPLE = 3
SERVICES = ("news", "weather")
FORMS = ("{}", "86{}", "+86 {}", "0086{}", "0{}", "\u202d+86{}\u202c")
BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

Said = tuple[str, str, dict[str, Any]]  # an event: its type, whose it is, what it says


@dataclass
class Model:
    """What must be, by phone."""

    register: dict[str, tuple[str, str, str | None, datetime | None]] = field(default_factory=dict)
    active: set[tuple[str, str]] = field(default_factory=set)
    ended: list[tuple[str, str]] = field(default_factory=list)
    events: list[Said] = field(default_factory=list)

    def stop(
        self, phone: str, source: str, actor: str, reason: str | None, at: datetime | None, of: dict[str, Any]
    ) -> None:
        """One stop; ``at`` is None where the register's own clock says when."""
        kind = "repeated" if phone in self.register else "opted_out"
        self.register.setdefault(phone, (source, actor, reason, at))
        self.events.append((kind, phone, {"source": source} | ({"reason": reason} if reason else {}) | of))
        for service in SERVICES:
            if (phone, service) in self.active:
                self.end(phone, service)
                self.events.append(("service_cancelled", phone, {"service": service} | of))

    def end(self, phone: str, service: str) -> None:
        self.active.discard((phone, service))
        self.ended.append((phone, service))


@dataclass
class World:
    """The real thing and its model, with people whom no other example knows."""

    store: Store
    phones: list[str]
    model: Model = field(default_factory=Model)

    def identity(self, person: int) -> str:
        return f"+86{self.phones[person]}"

    def written(self, person: int, form: int) -> str:
        return FORMS[form].format(self.phones[person])


_numbers = count(0, PEOPLE)

person = st.integers(0, PEOPLE - 1)
form = st.integers(0, len(FORMS) - 1)
service = st.sampled_from(SERVICES)
seconds = st.integers(0, 3)  # so that many have the same moment, and come out of order

say = st.tuples(
    st.just("say"), st.lists(st.tuples(person, seconds, st.sampled_from(["0000", "hello", "kept"])), max_size=5)
)
take_over = st.tuples(st.just("take over"), st.lists(st.tuples(person, seconds), min_size=1, max_size=5))
add = st.tuples(st.just("add"), st.lists(st.tuples(person, form), min_size=1, max_size=4))
lift = st.tuples(st.just("lift"), st.tuples(person, form))
subscribe = st.tuples(st.just("subscribe"), st.tuples(person, service))
cancel = st.tuples(st.just("cancel"), st.tuples(person, service))
histories = st.lists(st.one_of(say, take_over, add, lift, subscribe, subscribe, cancel), min_size=1, max_size=12)


@pytest.fixture
def store(store: Store) -> Store:
    with store.writing() as connection:
        for code in SERVICES:
            services.add(connection, code, code, BEGIN)
    return store


@settings(max_examples=tried(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories)
def test_any_history_ends_where_the_model_ends(store: Store, history: list[tuple[str, Any]]) -> None:
    first = next(_numbers)
    world = World(store, [f"154{first + number:08}" for number in range(PEOPLE)])
    with store.reading() as connection:
        before, _ = ledger.head(connection)
    for act, what in history:
        ACTS[act](world, what)
        check_guard(world)
    check(world, before)


def act_say(world: World, batch: list[tuple[int, int, str]]) -> None:
    replies, kept = [], []
    stops: list[tuple[datetime, str, dict[str, Any]]] = []
    for who, second, text in batch:
        phone, at = world.identity(who), BEGIN + timedelta(seconds=second)
        if text == "kept":
            kept.append(replace(quarantined(unsubscribes=phone), received_at=at))
        else:
            replies.append(reply(text, phone, at=at))
            if text == "0000":
                stops.append((at, phone, {}))
    stops += [
        (each.received_at, str(each.undeliverable.unsubscribes), {"quarantine_id": str(each.id)}) for each in kept
    ]
    world.store.record(replies, kept, WINDOW)
    for at, phone, of in sorted(stops, key=lambda stop: stop[0]):
        world.model.stop(phone, "sms", "subscriber", None, at, of)


def act_take_over(world: World, batch: list[tuple[int, int]]) -> None:
    stops = [
        Stop(world.identity(who), BEGIN + timedelta(seconds=second), Source.IMPORT, "li.na", f"line {number}")
        for number, (who, second) in enumerate(batch)
    ]
    known = set(world.model.register)
    with world.store.writing() as connection:
        chain = ledger.Chain(connection)
        new = optouts.opt_out(connection, stops[:2], chain=chain)
        new |= optouts.opt_out(connection, stops[2:], chain=chain) if stops[2:] else set()
    for part in (stops[:2], stops[2:]):
        for stop in sorted(part, key=lambda stop: stop.at):
            world.model.stop(stop.phone, "import", "li.na", stop.reason, stop.at, {})
    assert new == set(world.model.register) - known


def act_add(world: World, batch: list[tuple[int, int]]) -> None:
    added = Register(world.store).add(
        [world.written(*each) for each in batch], source=Source.MANUAL, reason=" a letter ", actor=" li.na "
    )
    phones = {world.identity(who) for who, _ in batch}
    assert added.repeated == phones & world.model.register.keys()
    assert added.new == phones - added.repeated
    for phone in sorted(phones):
        world.model.stop(phone, "manual", "li.na", "a letter", None, {})


def act_lift(world: World, whom: tuple[int, int]) -> None:
    phone = world.identity(whom[0])
    if phone not in world.model.register:
        with pytest.raises(NotOptedOut):
            Register(world.store).lift(world.written(*whom), reason="asked us to", actor="li.na")
        return
    assert Register(world.store).lift(world.written(*whom), reason="asked us to", actor="li.na") == phone
    del world.model.register[phone]
    world.model.events.append(("lifted", phone, {"reason": "asked us to"}))


def act_subscribe(world: World, wish: tuple[int, str]) -> None:
    wanted = (world.identity(wish[0]), wish[1])
    with world.store.writing() as connection:
        became = subscriptions.subscribe(connection, *wanted, datetime.now(UTC))
    if wanted[0] in world.model.register:
        assert became is Subscribed.OPTED_OUT
    else:
        assert became is (Subscribed.ALREADY if wanted in world.model.active else Subscribed.NEW)
        world.model.active.add(wanted)


def act_cancel(world: World, wish: tuple[int, str]) -> None:
    unwanted = (world.identity(wish[0]), wish[1])
    with world.store.writing() as connection:
        was = subscriptions.cancel(connection, *unwanted, datetime.now(UTC), reason="too many", actor="li.na")
    assert was == (unwanted in world.model.active)
    if was:
        world.model.end(*unwanted)
        world.model.events.append(("service_cancelled", unwanted[0], {"service": unwanted[1], "reason": "too many"}))


ACTS: dict[str, Callable[[World, Any], None]] = {
    "say": act_say,
    "take over": act_take_over,
    "add": act_add,
    "lift": act_lift,
    "subscribe": act_subscribe,
    "cancel": act_cancel,
}


def check_guard(world: World) -> None:
    asked = {world.written(who, how): world.identity(who) for who in range(PEOPLE) for how in range(len(FORMS))}
    verdict = guard.blocked(world.store, asked)
    blocked = {written for written, phone in asked.items() if phone in world.model.register}
    assert {stopped.written for stopped in verdict.blocked} == blocked
    assert dict(verdict.allowed) == {written: asked[written] for written in asked.keys() - blocked}
    assert verdict.invalid == []


def check(world: World, before: int) -> None:
    model = world.model
    phones = {world.identity(who) for who in range(PEOPLE)}
    with world.store.reading() as connection:
        register = optouts.suppressed(connection, phones)
        new = select(tables.ledger).where(tables.ledger.c.sequence > before).order_by(tables.ledger.c.sequence)
        events = connection.execute(new).mappings().all()
        owned = [row for phone in phones for row in subscriptions.of_phone(connection, phone)]
    assert {phone: (row.source, row.actor, row.reason) for phone, row in register.items()} == {
        phone: entry[:3] for phone, entry in model.register.items()
    }
    for phone, (*_, at) in model.register.items():
        assert at is None or register[phone].since == at
    assert [(event.type, event.phone, event.detail) for event in events] == model.events
    assert {(row.phone, row.service) for row in owned if row.cancelled_at is None} == model.active
    assert sorted((row.phone, row.service) for row in owned if row.cancelled_at is not None) == sorted(model.ended)
    assert not phones & {phone for phone, _ in model.active} & model.register.keys()
    opted = {event.phone: event.message_id for event in events if event.type == "opted_out"}
    for phone, row in register.items():
        assert row.message_id == opted[phone], "the register and the ledger name different messages"
    outcome = verify(world.store)
    assert outcome.ok, outcome
    assert outcome.events == before + len(model.events)

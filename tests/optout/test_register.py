"""The register as people change it: whoever is added is stopped, only a lift with a reason takes it back."""

import pytest

from receiver.optout import guard
from receiver.optout.register import Added, NotAPhone, NotOptedOut, Register, Unexplained
from receiver.store import tables
from receiver.store.store import Store
from receiver.vocabulary.register import Source
from tests.intake.replies import quarantined, reply, rows, verified_ledger
from tests.store.test_record import WINDOW, subscribe

PHONE, OTHER = "+8613900001234", "+8613900001235"
WHY = {"source": Source.MANUAL, "reason": "wrote a letter", "actor": "li.na"}


@pytest.fixture
def register(store: Store) -> Register:
    return Register(store)


def lift(register: Register, phone: str, *, reason: str = "asked us to", actor: str = "li.na") -> str:
    return register.lift(phone, reason=reason, actor=actor)


def add(register: Register, *phones: str, **changes: str) -> Added:
    return register.add(phones, **{**WHY, **changes})  # type: ignore[arg-type]


def test_an_addition_is_in_force_with_what_it_cancels_and_its_proof(store: Store, register: Register) -> None:
    subscribe(store, PHONE, "news", "weather")
    subscribe(store, OTHER, "news")
    assert add(register, "139 0000 1234") == Added(frozenset([PHONE]), frozenset())
    (optout,) = rows(store, tables.optouts)
    assert (optout.phone, optout.source, optout.reason, optout.actor, optout.message_id) == (
        *(PHONE, "manual", "wrote a letter", "li.na", None),
    )
    cancelled = {(row.phone, row.service): row.cancelled_at for row in rows(store, tables.subscriptions)}
    assert cancelled == {(PHONE, "news"): optout.since, (PHONE, "weather"): optout.since, (OTHER, "news"): None}
    events = verified_ledger(store)
    assert [(event.type, event.phone, event.actor, event.detail) for event in events] == [
        ("opted_out", PHONE, "li.na", {"source": "manual", "reason": "wrote a letter"}),
        ("service_cancelled", PHONE, "li.na", {"service": "news"}),
        ("service_cancelled", PHONE, "li.na", {"service": "weather"}),
    ]
    assert {event.at for event in events} == {optout.since}


def test_one_person_in_many_forms_is_added_once(store: Store, register: Register) -> None:
    assert add(register, "13900001234", "8613900001234", "+86 139-0000-1234", "13900001235").new == {PHONE, OTHER}
    assert [event.type for event in verified_ledger(store)] == ["opted_out"] * 2


def test_who_is_opted_out_already_keeps_the_first_stop(store: Store, register: Register) -> None:
    stop = reply("0000", PHONE)
    store.record([stop], [], WINDOW)
    assert add(register, PHONE, OTHER) == Added(frozenset([OTHER]), frozenset([PHONE]))
    first = rows(store, tables.optouts)[0]
    assert (first.since, first.source, first.message_id) == (stop.received_at, "sms", stop.id)
    assert [(event.type, event.phone) for event in verified_ledger(store)] == [
        ("opted_out", PHONE),
        ("repeated", PHONE),
        ("opted_out", OTHER),
    ]


def test_where_one_is_no_phone_none_is_added(store: Store, register: Register) -> None:
    for wrong in ["10086", "", "1390000123", "LI NA", "13900001236,13900001237", "GATE\x00WAY"]:
        with pytest.raises(NotAPhone) as refused:
            add(register, "13900001234", wrong)
        assert repr(wrong) in str(refused.value)
    assert rows(store, tables.optouts) == verified_ledger(store) == []


@pytest.mark.parametrize("missing", ["reason", "actor"])
def test_every_change_says_who_and_why(store: Store, register: Register, missing: str) -> None:
    store.record([reply("0000", PHONE)], [], WINDOW)
    for blank in ("", "  ", "\t\n"):
        with pytest.raises(Unexplained, match=missing):
            add(register, OTHER, **{missing: blank})
        with pytest.raises(Unexplained, match=missing):
            lift(register, PHONE, **{missing: blank})
    assert [row.phone for row in rows(store, tables.optouts)] == [PHONE]
    assert len(verified_ledger(store)) == 1


@pytest.mark.parametrize("written", ["13900001234", "+86 139-0000-1234", "００８６１３９００００１２３４"])
def test_a_lift_ends_the_opt_out_and_not_its_history(store: Store, register: Register, written: str) -> None:
    subscribe(store, PHONE, "news")
    store.record([reply("0000", PHONE), reply("0000", OTHER)], [], WINDOW)
    assert register.lift(written, reason=" asked us to by phone ", actor=" li.na ") == PHONE
    assert [row.phone for row in rows(store, tables.optouts)] == [OTHER]
    assert rows(store, tables.subscriptions)[0].cancelled_at is not None
    last = verified_ledger(store)[-1]
    assert (last.type, last.phone, last.actor, last.detail) == (
        *("lifted", PHONE, "li.na", {"reason": "asked us to by phone"}),
    )
    with pytest.raises(NotOptedOut):
        register.lift(PHONE, reason="once more", actor="li.na")
    assert verified_ledger(store)[-1] == last


@pytest.mark.parametrize("phone", [PHONE, "10086", "nobody"])
def test_there_is_nothing_to_lift_for_who_is_not_opted_out(store: Store, register: Register, phone: str) -> None:
    store.record([reply("0000", OTHER)], [], WINDOW)
    with pytest.raises(NotOptedOut):
        register.lift(phone, reason="asked us to", actor="li.na")
    assert len(verified_ledger(store)) == 1
    assert len(rows(store, tables.optouts)) == 1


def test_a_sender_that_is_no_phone_can_be_lifted_as_it_came(store: Store, register: Register) -> None:
    store.record([reply("0000", "10086")], [], WINDOW)
    assert register.lift(" 10086 ", reason="a test of theirs", actor="li.na") == "10086"
    assert rows(store, tables.optouts) == []


@pytest.mark.parametrize("sender", ["SHOP\N{SYMBOL FOR NULL}", "2025550123"])
def test_a_sender_is_found_as_it_came_though_it_is_written_or_read_otherwise_now(store: Store, sender: str) -> None:
    store.record([reply("0000", sender)], [], WINDOW)
    elsewhere = Register(store, "US")  # where 2025550123 is a phone number
    written = sender.replace("\N{SYMBOL FOR NULL}", "\0")
    found = elsewhere.history(written)
    assert (found.identity, [event["type"] for event in found.events]) == (sender, ["opted_out"])
    assert found.optout is not None
    assert elsewhere.lift(written, reason="asked us to", actor="li.na") == sender
    assert rows(store, tables.optouts) == []
    lifted = elsewhere.history(written)
    assert (lifted.identity, lifted.optout, len(lifted.events)) == (sender, None, 2)


def test_an_identity_comes_before_what_came_and_what_is_in_force_before_what_was(store: Store) -> None:
    register = Register(store, "US")
    came, identity = "2025550123", "+12025550123"
    store.record([reply("0000", came), reply("0000", identity)], [], WINDOW)
    assert register.history(came).identity == identity
    assert register.lift(came, reason="asked us to", actor="li.na") == identity
    assert register.history(came).identity == came
    assert register.lift(came, reason="asked us to", actor="li.na") == came
    assert register.history(came).identity == identity
    assert guard.blocked(store, [came], "US").blocked == []


def test_what_no_database_takes_is_not_in_the_register(store: Store, register: Register) -> None:
    for odd in ("\udcff", "1\0002", ""):
        assert register.history(odd).events == []
        with pytest.raises(NotOptedOut):
            register.lift(odd, reason="asked us to", actor="li.na")


@pytest.mark.parametrize(("name", "longest"), [("reason", 500), ("actor", 100)])
def test_who_and_why_fit_on_a_page(store: Store, register: Register, name: str, longest: int) -> None:
    with pytest.raises(Unexplained, match=f"{name} is longer than {longest}"):
        add(register, PHONE, **{name: "字" * (longest + 1)})
    with pytest.raises(Unexplained, match=f"{name} is longer than {longest}"):
        lift(register, PHONE, **{name: "字" * (longest + 1)})
    assert rows(store, tables.ledger) == []
    assert add(register, PHONE, **{name: " " + "字" * longest}).new == {PHONE}


def test_after_a_lift_the_next_stop_is_a_first_one(store: Store, register: Register) -> None:
    for _ in range(2):
        assert add(register, PHONE).new == {PHONE}
        register.lift(PHONE, reason="asked us to", actor="li.na")
    stop = reply("0000", PHONE)
    store.record([stop], [], WINDOW)
    assert [row.message_id for row in rows(store, tables.optouts)] == [stop.id]
    assert [event.type for event in verified_ledger(store)] == [*["opted_out", "lifted"] * 2, "opted_out"]


def test_of_two_stops_at_the_same_moment_the_register_and_the_ledger_name_the_same(store: Store) -> None:
    first = reply("0000", PHONE)
    second = reply("0000", PHONE, at=first.received_at)
    store.record([first, second], [], WINDOW)
    (optout,) = rows(store, tables.optouts)
    assert [(event.type, event.message_id) for event in verified_ledger(store)] == [
        ("opted_out", first.id),
        ("repeated", second.id),
    ]
    assert optout.message_id == first.id


def test_of_stops_in_one_batch_the_earliest_is_the_opt_out(store: Store) -> None:
    earlier, later = reply("0000", PHONE), reply("0000", PHONE)
    store.record([later, earlier], [], WINDOW)
    assert earlier.received_at < later.received_at
    assert rows(store, tables.optouts)[0].message_id == earlier.id
    assert [event.message_id for event in verified_ledger(store)] == [earlier.id, later.id]


def test_history_is_all_of_one_subscriber_and_of_nobody_else(store: Store, register: Register) -> None:
    subscribe(store, PHONE, "news")
    subscribe(store, OTHER, "news")
    kept = quarantined(unsubscribes=PHONE)
    store.record([reply("0000", OTHER)], [kept], WINDOW)
    register.lift(PHONE, reason="asked us to", actor="li.na")
    ended = register.history("139-0000-1234")
    assert (ended.identity, ended.optout) == (PHONE, None)
    assert [event["type"] for event in ended.events] == ["opted_out", "service_cancelled", "lifted"]
    assert {event["phone"] for event in ended.events} == {PHONE}
    assert [(each["service"], each["cancelled_by"]) for each in ended.subscriptions] == [("news", kept.id)]
    in_force = register.history(OTHER).optout
    assert in_force is not None
    assert in_force["phone"] == OTHER
    unknown = register.history("13900009999")
    assert (unknown.optout, unknown.events, unknown.subscriptions) == (None, [], [])


def test_the_region_is_that_of_the_register(store: Store) -> None:
    added = add(Register(store, "HK"), "9123 4567")
    assert added.new == {"+85291234567"}
    assert len(guard.blocked(store, ["+852 9123 4567"]).blocked) == 1

"""The guard: who is opted out is blocked in whatever form the number is written, and no answer means no."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest

from receiver.optout import guard
from receiver.optout.guard import Blocked, GuardUnavailable
from receiver.optout.register import Register
from receiver.store import tables
from receiver.store.optouts import Stop, opt_out
from receiver.store.store import Store
from receiver.vocabulary.register import Source
from tests.intake.replies import quarantined, reply, rows, verified_ledger
from tests.postgres import Postgres
from tests.store.test_record import WINDOW
from tests.vocabulary.test_identity import NO_PHONES, ONE_PERSON, OTHERS

PHONE = "+8613900001234"  # who ONE_PERSON is
NEIGHBOURS = ["13900001235", "+8613900001233", "+85213900001234", "+113900001234", "3900001234", "0013900001234"]


def test_who_is_opted_out_in_any_written_form_is_blocked_in_every_one(store: Store) -> None:
    register = Register(store)
    for said in ONE_PERSON:
        register.add([said], source=Source.MANUAL, reason="wrote a letter", actor="li.na")
        verdict = guard.blocked(store, [*ONE_PERSON, *NEIGHBOURS])
        assert [stopped.written for stopped in verdict.blocked] == ONE_PERSON
        assert {stopped.identity for stopped in verdict.blocked} == {PHONE}
        assert {written for written, _ in verdict.allowed} | set(verdict.invalid) == set(NEIGHBOURS)
        register.lift(said, reason="asked us to", actor="li.na")
        assert guard.blocked(store, ONE_PERSON).blocked == []


def test_other_numbers_are_blocked_by_their_identity(store: Store) -> None:
    numbers = [(written, identity) for _, written, identity in OTHERS]
    assert guard.blocked(store, dict(numbers)).allowed == numbers
    store.record([reply("0000", identity) for _, identity in numbers], [], WINDOW)
    verdict = guard.blocked(store, dict(numbers))
    assert [(stopped.written, stopped.identity) for stopped in verdict.blocked] == numbers
    assert verdict.allowed == []


def test_an_empty_register_blocks_no_one_and_no_question_has_no_answer(store: Store) -> None:
    verdict = guard.blocked(store, ONE_PERSON)
    assert verdict.allowed == [(written, PHONE) for written in ONE_PERSON]
    assert verdict.blocked == []
    assert verdict.invalid == []
    assert guard.blocked(store, []) == guard.Verdict()


def test_what_is_no_phone_is_never_allowed_and_holds_no_one_else_up(store: Store) -> None:
    odd = [*NO_PHONES, "GATE\x00WAY", "\ud800", "13900001234\ud800", "'; DROP TABLE optouts; --", '"],["', "[]"]
    store.record([reply("0000", PHONE)], [], WINDOW)
    verdict = guard.blocked(store, [*odd, PHONE, "13900001235"])
    assert sorted(verdict.invalid) == sorted(odd)
    assert [stopped.identity for stopped in verdict.blocked] == [PHONE]
    assert verdict.allowed == [("13900001235", "+8613900001235")]


def test_who_is_no_phone_and_said_stop_is_blocked_as_it_came(store: Store) -> None:
    for sender in ["10086", "GATEWAY", "移动", "1065'8", "1\N{SYMBOL FOR NULL}2"]:
        store.record([reply("0000", sender)], [], WINDOW)
        verdict = guard.blocked(store, [sender, f" {sender} ", sender + "0"])
        assert [stopped.written for stopped in verdict.blocked] == [sender, f" {sender} "]
        assert verdict.invalid == [sender + "0"]
        assert verdict.allowed == []


def test_what_blocks_is_told(store: Store) -> None:
    stop, kept = reply("0000", "+8613900001235"), quarantined(unsubscribes="+8613900001236")
    store.record([stop], [kept], WINDOW)
    at = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
    with store.writing() as connection:
        opt_out(connection, [Stop(PHONE, at, Source.IMPORT, "li.na", "moved from the old system")])
    asked = ["139 0000 1234", "8613900001235", "13900001236"]
    assert guard.blocked(store, asked).blocked == [
        Blocked("139 0000 1234", PHONE, at, "import", "moved from the old system"),
        Blocked("8613900001235", "+8613900001235", stop.received_at, "sms", None),
        Blocked("13900001236", "+8613900001236", kept.received_at, "sms", None),
    ]


def test_who_was_lifted_is_allowed_until_the_next_stop(store: Store) -> None:
    store.record([reply("0000", PHONE)], [], WINDOW)
    Register(store).lift("139-0000-1234", reason="asked us to by phone", actor="li.na")
    assert guard.blocked(store, [PHONE]).allowed == [(PHONE, PHONE)]
    store.record([reply("0000", PHONE)], [], WINDOW)
    assert guard.blocked(store, [PHONE]).allowed == []


def test_the_region_says_whose_numbers_come_without_a_country_code(store: Store) -> None:
    store.record([reply("0000", "+85291234567")], [], WINDOW)
    assert [stopped.identity for stopped in guard.blocked(store, ["9123 4567"], "HK").blocked] == ["+85291234567"]
    assert guard.blocked(store, ["9123 4567"]).blocked == []


def test_a_hundred_thousand_phones_in_one_call(store: Store) -> None:
    stopped = [f"+86154{number:08}" for number in range(0, 100_000, 997)]
    Register(store).add(stopped, source=Source.API, reason="a list of theirs", actor="crm")
    forms = ("154{:08}", "86154{:08}", "+86 154{:08}", "0086154{:08}")
    asked = (forms[number % 4].format(number) for number in range(100_000))
    verdict = guard.blocked(store, asked)
    assert [each.identity for each in verdict.blocked] == stopped
    assert len(verdict.allowed) == 100_000 - len(stopped)
    assert len({identity for _, identity in verdict.allowed}) == len(verdict.allowed)
    assert verdict.invalid == []


def test_each_string_is_answered_once_in_the_whole_call(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_ASKED_AT_ONCE", 2)
    store.record([reply("0000", "+8613900001235")], [], WINDOW)
    asked = ["13900001234", "13900001235", "12", "+8613900001234"] * 2 + ["13900001234"]
    verdict = guard.blocked(store, asked)
    assert verdict.allowed == [("13900001234", PHONE), ("+8613900001234", PHONE)]  # two forms of one number
    assert [stopped.written for stopped in verdict.blocked] == ["13900001235"]
    assert verdict.invalid == ["12"]


def test_a_send_that_was_stopped_is_in_the_ledger(store: Store) -> None:
    store.record([reply("0000", PHONE), reply("0000", "+8613900001235")], [], WINDOW)
    stopped = guard.blocked(store, ["13900001234", "13900001235", "13900001236"]).blocked
    guard.note_blocked(store, stopped, actor="shop", detail={"send": "7"})
    noted = verified_ledger(store)[2:]
    assert [(event.type, event.phone, event.actor, event.detail) for event in noted] == [
        ("send_blocked", PHONE, "shop", {"send": "7"}),
        ("send_blocked", "+8613900001235", "shop", {"send": "7"}),
    ]
    guard.note_blocked(store, [], actor="shop", detail={})
    assert len(rows(store, tables.ledger)) == 4


def test_without_a_register_to_ask_nobody_may_be_texted(empty_database_url: str) -> None:
    never_migrated = Store(empty_database_url)
    with pytest.raises(GuardUnavailable, match="nobody may be texted"):
        guard.blocked(never_migrated, ["13900001234"])
    never_migrated.close()


def _folder_in_its_place(path: Path) -> None:
    path.unlink()
    path.mkdir()


SPOILT: dict[str, Callable[[Path], object]] = {
    "lost": Path.unlink,
    "a folder": _folder_in_its_place,
    "no database": lambda path: path.write_bytes(b"no database" * 1_000),
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:8_192]),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_file_that_can_not_be_read_lets_nothing_pass(sqlite_url: str, spoil: Callable[[Path], object]) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    store = Store(sqlite_url)
    Register(store).add([PHONE], source=Source.MANUAL, reason="wrote a letter", actor="li.na")
    store.close()
    spoil(path)
    with pytest.raises(GuardUnavailable):
        guard.blocked(store, ["13900001234", "13900001235"])
    store.close()


def test_a_server_that_is_gone_lets_nothing_pass_and_answers_when_it_is_back(postgres: Postgres) -> None:
    postgres.start()
    store = Store(postgres.create_database())
    store.ensure_current()
    store.record([reply("0000", PHONE)], [], WINDOW)
    assert len(guard.blocked(store, [PHONE]).blocked) == 1  # its connection is in the pool now
    modes: list[Literal["fast", "immediate"]] = ["fast", "immediate"]
    for mode in modes:
        postgres.stop(mode)
        with pytest.raises(GuardUnavailable):
            guard.blocked(store, [PHONE, "13900001235"])
        postgres.start()
        verdict = guard.blocked(store, [PHONE, "13900001235"])
        assert (len(verdict.blocked), len(verdict.allowed)) == (1, 1)
    store.close()


def test_a_failure_between_two_batches_gives_no_half_answer(postgresql_url: str) -> None:
    store = Store(postgresql_url)  # SQLite answers from the state that it was in at the first

    def phones() -> Iterator[str]:
        yield from (f"154{number:08}" for number in range(10_000))
        with store.writing() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        yield "13900001234"

    with pytest.raises(GuardUnavailable):
        guard.blocked(store, phones())
    store.close()


def test_a_sender_that_was_no_phone_when_it_said_stop_is_blocked_when_it_is_one(store: Store) -> None:
    with store.writing() as connection:
        opt_out(connection, [Stop("2025550123", datetime.now(UTC))])

    verdict = guard.blocked(store, ["2025550123"], region="US")

    assert [stopped.identity for stopped in verdict.blocked] == ["2025550123"]
    assert verdict.allowed == []

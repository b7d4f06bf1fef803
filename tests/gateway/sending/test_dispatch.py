"""From a request to the gateway's answer and into the database: each batch unsent, answered, or in doubt."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from receiver.gateway import Gateway, GatewayError, InDoubt, Line, NotSent, Refusal, SendAnswer, Unreadable
from receiver.gateway.client.gateway import Method
from receiver.gateway.client.refusals import WrongPassword
from receiver.gateway.sending import (
    Dispatcher,
    Found,
    Inadmissible,
    InvalidPhones,
    Sending,
    SendRequest,
    cancel,
    expire,
    settle,
)
from receiver.gateway.sending import dispatch as dispatching
from receiver.gateway.simulator.gateway import Account, Fault, Kind, Page, SimulatedGateway
from receiver.optout.register import Register
from receiver.store import sends, tables
from receiver.store.errors import StoreError
from receiver.store.store import Store
from receiver.vocabulary.register import Source
from tests.gateway.client.wire import hung_up
from tests.gateway.sending.conftest import Clock
from tests.gateway.sending.network import Network, Weather
from tests.intake.replies import reply, rows, verified_ledger
from tests.serving import free_port
from tests.store.test_record import WINDOW
from tests.vocabulary.test_identity import ONE_PERSON

TEXT = "明天停水"
ACCOUNT = Account("demo", "demo123", balance=1_000_000)


def mobiles(count: int, first: int = 0) -> list[str]:
    return [f"154{number:08}" for number in range(first, first + count)]


def gateway_at(url: str, *, timeout: float = 5, password: str = "demo123", method: Method = "post") -> Gateway:
    return Gateway(url, "demo", password, timeout=timeout, method=method)


def dispatcher(store: Store, url: str, clock: Clock, **given: Any) -> Dispatcher:
    return Dispatcher(store, gateway_at(url, **given), region="CN", clock=clock, sleep=lambda _seconds: None)


def enqueue(store: Store, phones: Sequence[str], clock: Clock, **given: Any) -> UUID:
    return Sending(store, clock=clock).enqueue(SendRequest(phones, TEXT, **given), "li.na").send_id


def counted(store: Store, send_id: UUID) -> dict[str, int]:
    with store.reading() as connection:
        return sends.counts(connection, [send_id])[send_id]


def in_state(store: Store, state: str) -> set[str]:
    return {row.phone for row in rows(store, tables.send_recipients) if row.state == state}


def batches(store: Store) -> list[Any]:
    return list(rows(store, tables.send_batches))


def stop(store: Store, *phones: str) -> None:
    store.record([reply("0000", f"+86{phone}") for phone in phones], [], WINDOW)


def test_everybody_is_texted_once_in_batches_that_the_gateway_allows(store: Store, clock: Clock) -> None:
    with SimulatedGateway([ACCOUNT]) as gateway:
        phones = [*mobiles(150), *[f"+86 {phone}" for phone in mobiles(150)], "010-55500001"]
        send_id = enqueue(store, phones, clock)
        assert counted(store, send_id) == {"queued": 151}
        assert dispatcher(store, gateway.url, clock).run_once() == 3
        assert Counter(sent.phone for sent in gateway.sent) == Counter([*mobiles(150), "01055500001"])
        assert {sent.text for sent in gateway.sent} == {TEXT}
        assert Counter(Counter(sent.call for sent in gateway.sent).values()) == {99: 1, 51: 1, 1: 1}
    assert counted(store, send_id) == {"accepted": 151}
    assert {batch.state for batch in batches(store)} == {"answered"}
    assert dispatcher(store, gateway.url, clock).run_once() == 0


def test_who_said_stop_is_never_queued_and_the_ledger_tells(store: Store, clock: Clock) -> None:
    stop(store, "15400000001")
    Register(store).add(["010-55500001"], source=Source.MANUAL, reason="a letter", actor="li.na")
    with SimulatedGateway([ACCOUNT]) as gateway:
        send_id = enqueue(store, ["+86 154-0000-0001", *mobiles(3), "01055500001"], clock)
        assert counted(store, send_id) == {"queued": 2, "blocked": 2}
        dispatcher(store, gateway.url, clock).run_once()
        assert sorted(sent.phone for sent in gateway.sent) == ["15400000000", "15400000002"]
    assert counted(store, send_id) == {"accepted": 2, "blocked": 2}
    events = [event for event in verified_ledger(store) if event.type == "send_blocked"]
    assert {(event.phone, event.actor, event.detail["send"]) for event in events} == {
        ("+8615400000001", "li.na", str(send_id)),
        ("+861055500001", "li.na", str(send_id)),
    }
    assert len(events) == 2
    blocked = [row for row in rows(store, tables.send_recipients) if row.state == "blocked"]
    assert ["opted out since" in row.detail for row in blocked] == [True, True]
    assert sorted(row.detail.rpartition("(")[2] for row in blocked) == ["manual)", "sms)"]


def test_who_says_stop_between_queue_and_call_is_taken_out(store: Store, clock: Clock) -> None:
    with SimulatedGateway([ACCOUNT]) as gateway:
        send_id = enqueue(store, mobiles(120), clock)
        sending = dispatcher(store, gateway.url, clock)
        assert sending.turn() is not None
        second = in_state(store, "queued")
        stop(store, *(phone.removeprefix("+86") for phone in sorted(second)[:20]))
        assert sending.run_once() == 1
        assert len(gateway.sent) == 100
    assert counted(store, send_id) == {"accepted": 100, "blocked": 20}
    events = [event for event in verified_ledger(store) if event.type == "send_blocked"]
    assert {event.phone for event in events} == in_state(store, "blocked")
    assert {event.actor for event in events} == {"li.na"}


def test_a_batch_of_which_nobody_is_left_is_answered_without_a_call(store: Store, clock: Clock) -> None:
    with SimulatedGateway([ACCOUNT]) as gateway:
        send_id = enqueue(store, mobiles(3), clock)
        stop(store, *mobiles(3))
        assert dispatcher(store, gateway.url, clock).run_once() == 1
        assert gateway.calls == []
    assert counted(store, send_id) == {"blocked": 3}
    assert [batch.state for batch in batches(store)] == ["answered"]


@pytest.mark.parametrize("skip", [False, True])
def test_one_that_is_no_phone_refuses_all_or_is_left_out(store: Store, clock: Clock, skip: bool) -> None:
    phones = ["15400000000", "12", "+85291234567"]
    if skip:
        assert counted(store, enqueue(store, phones, clock, skip_invalid=True)) == {"queued": 1}
        return
    with pytest.raises(InvalidPhones) as refused:
        enqueue(store, phones, clock)
    assert [each.written for each in refused.value.invalid] == phones[1:]
    assert "85291234567" not in str(refused.value)
    assert rows(store, tables.sends) == []


REFUSED: list[dict[str, Any]] = [{"hold": True}, {"sender": "x"}, {"sender": "1", "base": "1" * 16}]


@pytest.mark.parametrize("given", REFUSED)
def test_what_is_inadmissible_stores_nothing(store: Store, clock: Clock, given: dict[str, Any]) -> None:
    stop(store, "15400000001")
    with pytest.raises(Inadmissible):
        enqueue(store, mobiles(3), clock, **given)
    assert rows(store, tables.sends) == []
    assert [event.type for event in verified_ledger(store)] == ["opted_out"]


def test_an_actor_is_required(store: Store) -> None:
    with pytest.raises(Inadmissible, match="who sends"):
        Sending(store).enqueue(SendRequest(mobiles(1), TEXT), " ")


def test_a_plan_stores_nothing_and_is_no_event(store: Store, clock: Clock) -> None:
    stop(store, "15400000001")
    plan = Sending(store, clock=clock).plan(SendRequest([*mobiles(100), "010-55500001"], "x" * 40))
    assert [len(batch) for batch in plan.batches] == [99, 1]
    assert (plan.cost, len(plan.blocked), plan.characters) == (100, 1, 40)
    assert rows(store, tables.sends) == []
    assert [event.type for event in verified_ledger(store)] == ["opted_out"]


def test_a_refusal_of_the_account_stops_the_send_and_is_not_tried_again(store: Store, clock: Clock) -> None:
    with SimulatedGateway([ACCOUNT]) as gateway:
        send_id = enqueue(store, mobiles(300), clock)
        wrong = dispatcher(store, gateway.url, clock, password="wrong1")
        with pytest.raises(WrongPassword):
            wrong.run_once()
        assert len(gateway.calls) == 1
        assert gateway.sent == []
        assert wrong.run_once() == 0
    assert counted(store, send_id) == {"refused": 300}
    details = Counter((row.code, "not tried" in (row.detail or "")) for row in rows(store, tables.send_recipients))
    assert details == {(6003, False): 99, (6003, True): 201}


def test_a_refusal_of_the_text_refuses_each_batch_with_its_code(store: Store, clock: Clock) -> None:
    from receiver.gateway.simulator.gateway import Rules

    with SimulatedGateway([ACCOUNT], rules=Rules(forbidden_words=("停水",))) as gateway:
        send_id = enqueue(store, mobiles(150), clock)
        assert dispatcher(store, gateway.url, clock).run_once() == 2
        assert gateway.sent == []
    assert counted(store, send_id) == {"refused": 150}
    assert {row.code for row in rows(store, tables.send_recipients)} == {6005}


def test_some_are_accepted_and_some_refused_with_the_code(store: Store, clock: Clock) -> None:
    with Network() as network:
        send_id = enqueue(store, mobiles(10), clock)
        dispatcher(store, network.url, clock).run_once()
        assert in_state(store, "accepted") == {f"+86{phone}" for phone in network.texted}
    assert counted(store, send_id) == {"accepted": 9, "refused": 1}
    assert [row.code for row in rows(store, tables.send_recipients) if row.state == "refused"] == [6008]


def test_a_gateway_that_cant_be_reached_costs_no_claim(store: Store, clock: Clock) -> None:
    send_id = enqueue(store, mobiles(150), clock)
    queued = batches(store)
    nobody = dispatcher(store, f"http://127.0.0.1:{free_port()}/send/", clock)
    for _ in range(2):
        with pytest.raises(NotSent):
            nobody.run_once()
        assert isinstance(nobody.run_send(send_id), NotSent)
        assert batches(store) == queued
    with SimulatedGateway([ACCOUNT]) as gateway:
        assert dispatcher(store, gateway.url, clock).run_once() == 2
    assert counted(store, send_id) == {"accepted": 150}


def hung_up_first(line: Line, *phones: Any, **given: Any) -> Any:
    """A send on a line that the gateway has closed by now."""
    connection: Any = line._connection
    hung_up(connection._socket)
    return SEND(line, *phones, **given)


SEND = Line.send


def test_what_was_not_sent_is_queued_again_with_a_growing_wait(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Network() as network:
        send_id = enqueue(store, mobiles(2), clock)
        sending = dispatcher(store, network.url, clock)
        network.hangs_up = True
        monkeypatch.setattr(Line, "send", hung_up_first)
        waits = []
        for attempt in range(1, 9):
            with pytest.raises(NotSent):
                sending.run_once()
            (batch,) = batches(store)
            assert (batch.state, batch.attempts, batch.claim) == ("queued", attempt, None)
            assert sending.run_once() == 0
            waits.append((batch.not_before - clock()).total_seconds())
            clock.moment = batch.not_before
        assert waits == [5, 10, 20, 40, 80, 160, 300, 300]
        # Who asks for this send does not wait until the time of the next try.
        clock.pass_(seconds=-1)
        assert sending.run_once() == 0
        assert isinstance(sending.run_send(send_id), NotSent)
        monkeypatch.undo()
        network.hangs_up = False
        assert sending.run_send(send_id) is None
        assert sorted(network.texted) == mobiles(2)
    assert counted(store, send_id) == {"accepted": 2}


def test_a_list_that_is_too_long_is_refused(store: Store, clock: Clock) -> None:
    with pytest.raises(Inadmissible, match="split the list"):
        enqueue(store, mobiles(20_001), clock)
    assert rows(store, tables.sends) == []


LOST = [
    Weather(cut=0),
    Weather(cut=0, reset=True),
    Weather(cut=0, carried=False),
    Weather(cut=60),
    Weather(cut=60, marked=False),
    Weather(delay=1.5),
]


@pytest.mark.parametrize("weather", LOST, ids=str)
def test_a_lost_answer_is_in_doubt_and_never_sent_again(store: Store, clock: Clock, weather: Weather) -> None:
    with Network([weather]) as network:
        send_id = enqueue(store, mobiles(2), clock)
        sending = dispatcher(store, network.url, clock, timeout=0.5)
        with pytest.raises(InDoubt):
            sending.run_once()
        assert counted(store, send_id) == {"in_doubt": 2}
        clock.pass_(days=2)
        assert sending.run_once() == 0
        assert sending.run_send(send_id) is None
        assert len(network.texted) == (2 if weather.carried else 0)
    assert counted(store, send_id) == {"in_doubt": 2}
    assert [batch.state for batch in batches(store)] == ["in_doubt"]


def test_a_send_in_the_foreground_is_given_up_after_three_batches_in_doubt(store: Store, clock: Clock) -> None:
    with SimulatedGateway([ACCOUNT], [Fault(Kind.ERROR_500)]) as gateway:
        send_id = enqueue(store, mobiles(600), clock)
        assert isinstance(dispatcher(store, gateway.url, clock).run_send(send_id), InDoubt)
    assert counted(store, send_id) == {"in_doubt": 297, "queued": 303}


def test_one_lost_answer_does_not_stop_a_send_in_the_foreground(store: Store, clock: Clock) -> None:
    with SimulatedGateway([ACCOUNT], [Fault(Kind.RESET, every=2, pages=frozenset([Page.SEND]))]) as gateway:
        send_id = enqueue(store, mobiles(600), clock)
        told: list[tuple[int, int]] = []
        sending = dispatcher(store, gateway.url, clock)
        assert sending.run_send(send_id, lambda done, of: told.append((done, of))) is None
        assert Counter(Counter(sent.phone for sent in gateway.sent).values()) == {1: 600}
    assert counted(store, send_id) == {"accepted": 303, "in_doubt": 297}
    assert told[0] == (0, 600)
    assert told[-1] == (600, 600)


def test_who_stops_a_send_in_the_foreground_leaves_the_rest_queued(store: Store, clock: Clock) -> None:
    with SimulatedGateway([ACCOUNT]) as gateway:
        send_id = enqueue(store, mobiles(300), clock)
        sending = dispatcher(store, gateway.url, clock)
        assert sending.run_send(send_id, stopped=lambda: len(gateway.sent) > 100) is None
        assert counted(store, send_id) == {"accepted": 198, "queued": 102}
        assert cancel(store, send_id, actor="li.na", reason="interrupted") == 102
        assert sending.run_send(send_id) is None
    assert counted(store, send_id) == {"accepted": 198, "cancelled": 102}
    cancelled = [row for row in rows(store, tables.send_recipients) if row.state == "cancelled"]
    assert {(row.settled_by, row.settled_reason) for row in cancelled} == {("li.na", "interrupted")}


def test_a_send_that_is_cancelled_amid_a_call_that_reaches_nobody_is_not_sent_afterwards(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SimulatedGateway([ACCOUNT]) as gateway:
        send_id = enqueue(store, mobiles(150), clock)

        def cancelled_amid(*_given: Any, **_more: Any) -> Any:
            assert cancel(store, send_id, actor="li.na", reason="a slip") == 51
            assert counted(store, send_id) == {"sending": 99, "cancelled": 51}
            raise NotSent("no connection")

        sending = dispatcher(store, gateway.url, clock)
        with monkeypatch.context() as patch:
            patch.setattr(Line, "send", cancelled_amid)
            assert isinstance(sending.run_send(send_id), NotSent)
        clock.pass_(hours=1)
        assert sending.run_send(send_id) is None
        assert sending.run_once() == 0
        assert gateway.calls == []
    assert counted(store, send_id) == {"cancelled": 150}


def test_a_held_send_waits_until_five_minutes_before_and_asks_the_guard_then(store: Store, clock: Clock) -> None:
    with SimulatedGateway([ACCOUNT], clock=clock) as gateway:
        at = clock() + timedelta(hours=3)
        send_id = enqueue(store, mobiles(2), clock, at=at, hold=True)
        sending = dispatcher(store, gateway.url, clock)
        assert sending.run_once() == 0
        assert sending.run_send(send_id) is None
        stop(store, "15400000001")
        clock.pass_(hours=2, minutes=54)
        assert sending.run_once() == 0
        clock.pass_(minutes=2)
        gateway_now = Gateway(gateway.url, "demo", "demo123", clock=clock, method="post")
        assert Dispatcher(store, gateway_now, region="CN", clock=clock).run_once() == 1
        (sent,) = gateway.sent
        assert sent.phone == "15400000000"
        assert sent.scheduled is not None
        assert timedelta(0) <= sent.scheduled - at < timedelta(minutes=1)
    assert counted(store, send_id) == {"accepted": 1, "blocked": 1}


def test_a_send_whose_time_has_come_before_its_hand_over_is_not_sent_at_once(store: Store, clock: Clock) -> None:
    with SimulatedGateway([ACCOUNT], clock=clock) as gateway:
        send_id = enqueue(store, mobiles(2), clock, at=clock() + timedelta(hours=3), hold=True)
        clock.pass_(hours=4)
        dispatcher(store, gateway.url, clock).run_once()
        assert gateway.calls == []
    assert counted(store, send_id) == {"refused": 2}
    assert "its time had come" in rows(store, tables.send_recipients)[0].detail


def test_sender_time_and_long_reach_the_gateway(store: Store, clock: Clock) -> None:
    with SimulatedGateway([ACCOUNT]) as gateway:
        at = clock() + timedelta(days=1)
        request = SendRequest(mobiles(1), "你" * 200, at, sender="88", long=True)
        enqueued = Sending(store, clock=clock).enqueue(request, "li.na")
        dispatcher(store, gateway.url, clock).run_send(enqueued.send_id)
        (sent,) = gateway.sent
    assert (sent.text, sent.sender, sent.scheduled) == ("你" * 200, "1069000088", enqueued.plan.at)


def test_a_batch_whose_process_died_is_in_doubt_for_whoever_finds_it(store: Store, clock: Clock) -> None:
    with SimulatedGateway([ACCOUNT]) as gateway:
        send_id = enqueue(store, mobiles(150), clock)
        sending = dispatcher(store, gateway.url, clock)
        with pytest.MonkeyPatch.context() as patch:
            # As a kill would: nothing is recorded after the claim.
            patch.setattr(sending, "_send", _die)
            with pytest.raises(SystemError):
                sending.run_once()
        assert counted(store, send_id) == {"sending": 99, "queued": 51}
        assert expire(store, clock=clock) == 0
        assert sending.run_once() == 1
        clock.pass_(minutes=10)
        assert expire(store, clock=clock) == 1
        assert sending.run_once() == 0
        assert len(gateway.sent) == 51
    assert counted(store, send_id) == {"in_doubt": 99, "accepted": 51}


def _die(*_batch: object) -> None:
    raise SystemError("killed")


@pytest.mark.parametrize(
    ("amid", "counts"),
    [(False, {"queued": 150}), (True, {"in_doubt": 99, "queued": 51})],
    ids=["before its first byte", "after"],
)
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ZeroDivisionError])
def test_who_is_ended_amid_a_call_leaves_it_in_doubt_at_once_or_queued_where_it_was_not_begun(
    store: Store,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    amid: bool,
    counts: dict[str, int],
    error: type[BaseException],
) -> None:
    def interrupted(_line: Line, *_phones: object, ready: Callable[[], None], **_given: object) -> None:
        if amid:
            ready()
        raise error

    with Network() as network:
        send_id = enqueue(store, mobiles(150), clock)
        with monkeypatch.context() as patch:
            patch.setattr(Line, "send", interrupted)
            with pytest.raises(error):
                dispatcher(store, network.url, clock).run_send(send_id)
        assert counted(store, send_id) == counts
        clock.pass_(hours=1)
        assert dispatcher(store, network.url, clock).run_send(send_id) is None
    assert counted(store, send_id).get("queued") is None
    assert counted(store, send_id).get("in_doubt") == counts.get("in_doubt")


def test_a_late_answer_settles_what_others_put_in_doubt_but_not_what_a_person_settled(
    store: Store, clock: Clock
) -> None:
    with Network() as network:
        send_id = enqueue(store, mobiles(8), clock)

        def meanwhile(_phones: list[str]) -> None:
            clock.pass_(minutes=10)
            assert expire(store, clock=clock) == 1
            assert counted(store, send_id) == {"in_doubt": 8}
            assert settled(store, send_id, Found.NOT_SENT, "+86 154 0000 0000", clock) == 1

        network.before_answer = meanwhile
        assert dispatcher(store, network.url, clock).run_once() == 1
    assert counted(store, send_id) == {"accepted": 6, "refused": 2}
    by_hand = [row for row in rows(store, tables.send_recipients) if row.settled_at]
    assert [(row.phone, row.state, row.settled_by) for row in by_hand] == [("+8615400000000", "refused", "li.na")]
    assert [batch.state for batch in batches(store)] == ["answered"]


def settled(store: Store, send_id: UUID, found: Found, phone: str | None, clock: Clock) -> int:
    phones = None if phone is None else [phone]
    return settle(
        store, send_id, found, phones=phones, region="CN", actor="li.na", reason="asked the operator", clock=clock
    )


@pytest.mark.parametrize(("found", "state"), [(Found.SENT, "accepted"), (Found.NOT_SENT, "refused")])
def test_a_person_settles_what_is_in_doubt_and_nothing_is_sent_by_it(
    store: Store, clock: Clock, found: Found, state: str
) -> None:
    with Network([Weather(cut=0)]) as network:
        send_id = enqueue(store, mobiles(3), clock)
        sending = dispatcher(store, network.url, clock)
        with pytest.raises(InDoubt):
            sending.run_once()
        assert settled(store, send_id, found, "154-0000-0001", clock) == 1
        assert [batch.state for batch in batches(store)] == ["in_doubt"]
        assert counted(store, send_id) == {"in_doubt": 2, state: 1}
        assert settled(store, send_id, found, None, clock) == 2
        assert settled(store, send_id, found, None, clock) == 0
        assert [batch.state for batch in batches(store)] == ["answered"]
        clock.pass_(days=1)
        assert sending.run_once() == 0
        assert len(network.texted) == 3
    assert counted(store, send_id) == {state: 3}
    assert {(row.settled_by, row.settled_reason) for row in rows(store, tables.send_recipients)} == {
        ("li.na", "asked the operator")
    }


def test_a_process_that_was_held_up_after_its_question_asks_again(store: Store, clock: Clock) -> None:
    with SimulatedGateway([ACCOUNT]) as gateway:
        send_id = enqueue(store, mobiles(2), clock)
        # The claim takes the first reading, the look right before the first byte the second.
        readings = iter([0.0, dispatching.START_WITHIN.total_seconds() + 1])
        frozen = Dispatcher(
            store, gateway_at(gateway.url), region="CN", clock=clock, monotonic=lambda: next(readings, 0.0)
        )
        assert frozen.turn() is not None
        assert gateway.calls == []
        assert counted(store, send_id) == {"queued": 2}
        stop(store, "15400000001")
        assert dispatcher(store, gateway.url, clock).run_once() == 1
        assert [sent.phone for sent in gateway.sent] == ["15400000000"]


def test_an_answer_is_recorded_though_the_database_is_away_for_a_while(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([True, True, True])
    writing = store.writing

    def sometimes() -> Any:
        if len(gateway.sent) > 0 and next(failures, False):
            raise StoreError("the database is away")
        return writing()

    with SimulatedGateway([ACCOUNT]) as gateway:
        send_id = enqueue(store, mobiles(2), clock)
        monkeypatch.setattr(store, "writing", sometimes)
        assert dispatcher(store, gateway.url, clock).run_once() == 1
    assert counted(store, send_id) == {"accepted": 2}
    assert next(failures, None) is None


def test_an_answer_that_cant_be_recorded_ends_in_doubt(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seconds = iter(range(0, 10_000, 10))
    with SimulatedGateway([ACCOUNT]) as gateway, monkeypatch.context() as patch:
        send_id = enqueue(store, mobiles(2), clock)
        writing = store.writing

        def gone() -> Any:
            if gateway.sent:
                raise StoreError("the database is gone")
            return writing()

        patch.setattr(store, "writing", gone)
        patch.setattr(dispatching, "START_WITHIN", timedelta(hours=1))
        sending = Dispatcher(
            store, gateway_at(gateway.url), region="CN", clock=clock, monotonic=lambda: next(seconds),
            sleep=lambda _seconds: None,
        )  # fmt: skip
        with caplog.at_level(logging.ERROR), pytest.raises(StoreError):
            sending.turn()
        assert len(gateway.sent) == 2
    assert "in doubt" in caplog.text
    assert counted(store, send_id) == {"sending": 2}
    clock.pass_(hours=1)
    assert dispatcher(store, gateway.url, clock).run_once() == 1
    assert counted(store, send_id) == {"in_doubt": 2}


def test_nobody_is_texted_where_the_register_cant_be_asked(store: Store, clock: Clock) -> None:
    with SimulatedGateway([ACCOUNT]) as gateway:
        send_id = enqueue(store, mobiles(2), clock)
        for table in ("optouts", "ledger_head"):
            with store.writing() as connection:
                connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO elsewhere")
            with pytest.raises(StoreError):
                dispatcher(store, gateway.url, clock).run_once()
            if table == "optouts":
                with pytest.raises(StoreError):
                    enqueue(store, mobiles(2), clock)
            with store.writing() as connection:
                connection.exec_driver_sql(f"ALTER TABLE elsewhere RENAME TO {table}")
        assert gateway.calls == []
        assert counted(store, send_id) == {"queued": 2}
        assert dispatcher(store, gateway.url, clock).run_once() == 1


def test_numbers_in_every_written_form_are_stored_and_texted_once(store: Store, clock: Clock) -> None:
    with SimulatedGateway([ACCOUNT]) as gateway:
        for written in ONE_PERSON:
            send_id = enqueue(store, [written, *ONE_PERSON], clock)
            dispatcher(store, gateway.url, clock).run_once()
            assert counted(store, send_id) == {"accepted": 1}
        assert [sent.phone for sent in gateway.sent] == ["13900001234"] * len(ONE_PERSON)
        stop(store, "13900001234")
        assert counted(store, enqueue(store, ONE_PERSON, clock)) == {"blocked": 1}


ODD_ANSWERS = [
    SendAnswer(1, (), ("15400000001",), 10**18, "\x00\x1b[2J\ud83d" + "长" * 5_000),
    Refusal(-(10**18), "\x00" * 3),
    Unreadable("an answer with \x00 in it", b"\x00"),
]


@pytest.mark.parametrize("answer", ODD_ANSWERS, ids=["SendAnswer", "Refusal", "Unreadable"])
def test_no_words_of_the_gateway_keep_its_answer_from_being_stored(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch, answer: SendAnswer | GatewayError
) -> None:
    def says(_line: Line, *_phones: object, **_given: object) -> SendAnswer:
        if isinstance(answer, GatewayError):
            raise answer
        return answer

    send_id = enqueue(store, mobiles(2), clock)
    monkeypatch.setattr(Line, "send", says)
    with Network() as network:
        assert dispatcher(store, network.url, clock).turn() is not None
    counts = counted(store, send_id)
    assert counts == ({"accepted": 1, "refused": 1} if isinstance(answer, SendAnswer) else counts)
    assert counts.keys() <= {"accepted", "refused", "in_doubt"}


def test_no_log_holds_a_phone_or_the_text(store: Store, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with SimulatedGateway([ACCOUNT], [Fault(Kind.RESET, every=2)]) as gateway:
        send_id = enqueue(store, mobiles(250), clock)
        stop(store, "15400000001")
        dispatcher(store, gateway.url, clock).run_send(send_id)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("receiver")]
    assert ours
    assert not any("154000" in line or TEXT in line for line in ours)

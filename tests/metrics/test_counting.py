"""What happens is counted where it happens: calls to the gateway, people who are texted or not, what the spool did."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from receiver import tally
from receiver.gateway import Gateway, calls
from receiver.gateway.client import InDoubt, NotSent, Refusal
from receiver.gateway.polling import Drain, Poller, Spool
from receiver.gateway.sending import Dispatcher, Sending, SendRequest
from receiver.gateway.simulator.gateway import Account, Fault, Kind, SimulatedGateway
from receiver.intake import Intake
from receiver.intake.refusals import Refusals
from receiver.intake.spool import Draining, Limits
from receiver.intake.spool import Spool as Pushed
from receiver.metrics.scrape import Scrape
from receiver.optout import guard
from receiver.store.store import Store
from receiver.tally import Role
from receiver.vocabulary import Origin, Reading, Reason, Undeliverable
from tests.gateway.polling.conftest import Time, Turn
from tests.gateway.polling.inbox import Inbox, answer
from tests.intake.replies import delivery, reply, undeliverable
from tests.metrics.reading import values
from tests.store.test_record import WINDOW

Counted = Callable[[], dict[str, float]]
AWAY = "postgresql+psycopg://receiver@127.0.0.1:9/x"


@pytest.fixture
def counted() -> Iterator[Counted]:
    """What was counted since the test began, without what was not."""
    tally.begin()
    yield lambda: {
        name.removeprefix("receiver_"): value
        for role in Role
        for name, value in values(Scrape(role).text()).items()
        if value and "_bucket" not in name
    }
    tally.begin()


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    opened = Store(sqlite_url)
    yield opened
    opened.close()


def gateway_at(url: str, password: str = "demo123") -> Gateway:
    return Gateway(url, "demo", password, timeout=5, method="post", observe=calls.count)


def test_calls_by_how_they_ended_and_refusals_by_their_code(counted: Counted) -> None:
    with SimulatedGateway([Account("demo", "demo123")]) as stand_in:
        gateway_at(stand_in.url).balance()
        with pytest.raises(Refusal):
            gateway_at(stand_in.url, "wrong").balance()
    with SimulatedGateway([Account("demo", "demo123")], [Fault(Kind.RESET)]) as failing, pytest.raises(InDoubt):
        gateway_at(failing.url).fetch_reply()
    with pytest.raises(NotSent):
        gateway_at("http://127.0.0.1:9/").check_content("x")
    found = counted()
    assert {name: value for name, value in found.items() if name.startswith("gateway") and "_sum" not in name} == {
        "gateway_calls_total{page=getfee.asp,result=answered}": 1,
        "gateway_calls_total{page=getfee.asp,result=refused}": 1,
        "gateway_calls_total{page=readsms.asp,result=in_doubt}": 1,
        "gateway_calls_total{page=checkcontent.asp,result=not_sent}": 1,
        "gateway_refusals_total{code=6003}": 1,
        "gateway_call_seconds_count": 4,
    }


def test_people_by_what_became_of_them_and_who_was_blocked(store: Store, counted: Counted) -> None:
    store.record([reply("0000", "+8615400000003")], [], WINDOW)
    account = Account("demo", "demo123", balance=2)
    with SimulatedGateway([account]) as stand_in:
        for phones in (["15400000001", "15400000002", "15400000003"], ["15400000004"]):
            Sending(store).enqueue(SendRequest(phones, "x"), "li.na")
        dispatcher = Dispatcher(store, gateway_at(stand_in.url), region="CN")
        assert dispatcher.turn() is not None
        assert dispatcher.turn() is not None
    found = counted()
    assert {name: value for name, value in found.items() if name.startswith("sent_")} == {
        "sent_total{fate=accepted}": 2, "sent_total{fate=refused}": 1, "sent_total{fate=blocked}": 1,
    }  # fmt: skip
    assert found["gateway_refusals_total{code=6013}"] == 1, "the call, and not besides it the one whom it was for"
    assert found["guard_total{verdict=blocked}"] == 1
    assert found["guard_total{verdict=allowed}"] == 6, "when they were queued, and again before each call"


def test_a_register_that_can_not_be_asked(counted: Counted) -> None:
    away = Store(AWAY, pooled=False)
    with pytest.raises(guard.GuardUnavailable):
        guard.blocked(away, ["13900000001"])
    found = counted()
    assert (found["guard_failures_total"], found["database_failures_total{failure=unavailable}"]) == (1, 1)


def test_what_was_pulled_and_a_poller_that_is_refused(store: Store, tmp_path: Path, counted: Counted) -> None:
    inbox, intake = Inbox(), Intake(store, duplicate_window=WINDOW, timeout=30, max_waiting=100)
    spool = Spool(tmp_path)
    poller = Poller(inbox, spool, Drain(spool, intake, store, Reading()), account="demo", charset="gb18030", now=Time())
    inbox.unread.extend([answer(1), answer(2, b"0000"), b"id=0&err=x&errid=6002&src=&msg=&dst=&time="])
    with pytest.raises(Refusal):
        poller.run(Turn(), Time().wait, until_empty=True)
    intake.close()
    found = counted()
    assert found["replies_total{charset=certain,kind=reply,origin=poll}"] == 1
    assert found["replies_total{charset=certain,kind=unsubscribe,origin=poll}"] == 1
    assert found["gateway_refusals_total{code=6002}"] == 1


def test_a_database_that_is_away_and_what_the_spool_did(store: Store, tmp_path: Path, counted: Counted) -> None:
    away = Store(AWAY)
    spool = Pushed(tmp_path, Limits.of_megabytes(10, 0))
    intake = Intake(away, duplicate_window=WINDOW, timeout=30, max_waiting=100, spool=spool)
    intake.accept(delivery("a"))
    intake.accept(delivery("0000"), origin=Origin.PUSH)
    intake.quarantine(undeliverable())
    found = counted()
    assert (found["spooling"], found["spooled_total"]) == (1, 3)
    assert found["replies_total{charset=certain,kind=unsubscribe,origin=push}"] == 1
    assert found[f"quarantined_total{{reason={undeliverable().reason}}}"] == 1
    assert found["commit_items_sum{into=spool}"] == 3
    assert "waiting{into=database}" not in found
    intake.close()
    away.close()
    Draining(spool, store, WINDOW, lambda _: False).run()
    assert counted()["drained_total{became=stored}"] == 3


def test_whom_nobody_knows(store: Store, counted: Counted) -> None:
    refusals = Refusals(store)
    for reason in (Reason.SOURCE, Reason.TOKEN, Reason.SOURCE):
        refusals.note("198.51.100.7", Undeliverable(reason, "", b"x"))
    refusals.close()
    found = counted()
    assert (found["refused_total{reason=source-not-allowed}"], found["refused_total{reason=wrong-token}"]) == (2, 1)

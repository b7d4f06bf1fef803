"""The poller over real HTTP against the simulated gateway, whose clock goes on as the poller waits."""

from datetime import timedelta

import pytest

from receiver.gateway.client import Gateway, GatewayError
from receiver.gateway.polling import APART, Drain, Poller, Spool
from receiver.gateway.simulator.gateway import DEMO, Fault, Kind, Page, SimulatedGateway
from receiver.store.store import Store
from receiver.store.tables import messages, optouts, quarantine
from tests.gateway.polling.conftest import Time, Turn
from tests.gateway.polling.world import BEGINNING
from tests.intake.replies import rows

TEXTS = ["收到，谢谢", "0000", "a & b = c", "100% + 1", "要", "", "&dst=1&id=2", "😀", "０００0", "no"]


@pytest.mark.parametrize("charset", ["gb18030", "utf-8"])
@pytest.mark.parametrize("post", ["taken", "refused", "ignored"])
def test_what_phones_said_is_what_is_stored(
    charset: str, post: str, spool: Spool, drain: Drain, store: Store, turn: Turn, time_: Time
) -> None:
    clock = lambda: BEGINNING + timedelta(seconds=time_.now)  # noqa: E731
    with SimulatedGateway(clock=clock, charset=charset, post=post, seed=1) as simulated:  # type: ignore[arg-type]
        numbers = [simulated.put_reply(f"1390000{place:04}", "1069000012", text) for place, text in enumerate(TEXTS)]
        gateway = Gateway(simulated.url, DEMO.name, DEMO.password, charset=charset, timeout=20)
        poller = Poller(gateway, spool, drain, account=DEMO.name, charset=charset, now=time_, clock=clock)
        poller.run(turn, time_.wait, until_empty=True)
        assert simulated.violations == []
        assert simulated.unread() == 0
    stored = rows(store, messages)
    assert [row.gateway_id for row in stored] == numbers
    assert [(row.src, row.dst) for row in stored] == [
        (f"+861390000{place:04}", "1069000012") for place in range(len(TEXTS))
    ]
    assert [row.text for row in stored] == TEXTS
    assert {row.phone for row in rows(store, optouts)} == {"+8613900000001", "+8613900000008"}
    assert rows(store, quarantine) == []


@pytest.mark.parametrize(
    ("kind", "before"),
    [(kind, before) for kind in Kind for before in (False, True) if kind.can_come_before or not before],
)
def test_whatever_goes_wrong_it_is_never_asked_too_soon_and_only_an_answer_that_never_came_is_lost(
    kind: Kind, before: bool, spool: Spool, drain: Drain, store: Store, turn: Turn, time_: Time
) -> None:
    clock = lambda: BEGINNING + timedelta(seconds=time_.now)  # noqa: E731
    with SimulatedGateway(clock=clock, seed=2) as simulated:
        numbers = [simulated.put_reply(f"1390000{place:04}", "10690000", f"reply {place}") for place in range(6)]
        simulated.faults = [Fault(kind, before, every=3, times=2, pages=frozenset([Page.READ]))]
        gateway = Gateway(simulated.url, DEMO.name, DEMO.password, method="post", timeout=1)
        poller = Poller(gateway, spool, drain, account=DEMO.name, charset="gb18030", now=time_, clock=clock)
        lost = 0
        while simulated.unread():
            try:
                poller.run(turn, time_.wait, until_empty=True)
            except GatewayError:
                lost += 1
            time_.wait(APART)
        assert simulated.violations == []
    stored = [row.gateway_id for row in rows(store, messages)]
    assert len(stored) == len(set(stored))
    assert set(stored) <= set(numbers)
    if kind.loses and not before:
        assert len(stored) >= len(numbers) - lost
    else:
        assert len(stored) == len(numbers)

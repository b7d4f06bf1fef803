"""An unsubscribe that is acknowledged and not in the database yet holds every send of its machine."""

from pathlib import Path

import pytest

from receiver.gateway import NotSent
from receiver.gateway.sending import Dispatcher
from receiver.gateway.simulator.gateway import SimulatedGateway
from receiver.intake.spool import Draining, Limits, Spool
from receiver.store.store import Store
from tests.gateway.sending.conftest import Clock
from tests.gateway.sending.test_dispatch import ACCOUNT, counted, enqueue, gateway_at, mobiles
from tests.intake.replies import reply
from tests.store.test_record import WINDOW


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path, Limits.of_megabytes(10, 0))


def test_nothing_is_sent_while_a_stop_waits_and_the_person_never_gets_it(
    store: Store, clock: Clock, spool: Spool
) -> None:
    with SimulatedGateway([ACCOUNT]) as gateway:
        sending = Dispatcher(store, gateway_at(gateway.url), region="CN", is_clear=spool.is_clear, clock=clock)
        send_id = enqueue(store, mobiles(3), clock)
        spool.keep([reply("0000", "+8615400000001")])
        for _ in range(2):
            with pytest.raises(NotSent, match="spool"):
                sending.run_once()
        assert isinstance(sending.run_send(send_id), NotSent)
        assert gateway.calls == []
        assert counted(store, send_id) == {"queued": 3}
        spool.seal()
        Draining(spool, store, WINDOW).run()
        assert sending.run_once() == 1
        assert sorted(sent.phone for sent in gateway.sent) == ["15400000000", "15400000002"]
    assert counted(store, send_id) == {"accepted": 2, "blocked": 1}


def test_one_that_comes_between_the_claim_and_the_call_is_in_time(store: Store, clock: Clock, spool: Spool) -> None:
    looks: list[bool] = []

    def is_clear() -> bool:
        if len(looks) == 1:
            spool.keep([reply("0000", "+8615400000001")])
        looks.append(spool.is_clear())
        return looks[-1]

    with SimulatedGateway([ACCOUNT]) as gateway:
        sending = Dispatcher(store, gateway_at(gateway.url), region="CN", is_clear=is_clear, clock=clock)
        send_id = enqueue(store, mobiles(3), clock)
        with pytest.raises(NotSent, match="spool"):
            sending.run_once()
        assert looks == [True, False, False]
        assert gateway.sent == []
        assert counted(store, send_id) == {"queued": 3}
        spool.seal()
        Draining(spool, store, WINDOW).run()
        sending.run_once()
        assert sorted(sent.phone for sent in gateway.sent) == ["15400000000", "15400000002"]
    assert counted(store, send_id) == {"accepted": 2, "blocked": 1}

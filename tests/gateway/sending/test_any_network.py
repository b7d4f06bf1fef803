"""Whatever the network does: nobody is texted twice, nobody who said stop is texted, and everybody is accounted for."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from receiver.gateway.client import GatewayError, NotSent
from receiver.gateway.sending import Dispatcher, Sending, SendRequest, expire, recipients
from receiver.store.store import Store
from tests.gateway.sending.conftest import Clock
from tests.gateway.sending.network import Network, Weather
from tests.gateway.sending.test_dispatch import TEXT, counted, gateway_at, in_state, stop
from tests.properties import tried
from tests.serving import free_port

BATCH = 3
LONGEST_ANSWER = 260
TIMEOUT = 0.3

FINE = Weather()
WEATHER = st.one_of(
    st.just(FINE),
    st.just(Weather(carried=False, cut=0)),
    st.just(Weather(carried=False, cut=0, reset=True)),
    st.just(Weather(twice=True)),
    st.just(Weather(unlisted=True)),
    st.just(Weather(delay=2 * TIMEOUT)),
    st.builds(Weather, cut=st.integers(0, LONGEST_ANSWER), marked=st.booleans(), reset=st.booleans()),
)

_next_phone = iter(range(1_000_000))


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One database for all examples, each with phones of its own: to migrate one takes longer than an example."""
    folder: Path = tmp_path_factory.mktemp("network")
    store = Store(f"sqlite:///{folder / 'receiver.db'}")
    store.ensure_current()
    yield store
    store.close()


@settings(max_examples=tried(25), suppress_health_check=[HealthCheck.too_slow])
@given(
    people=st.integers(1, 14),
    weather=st.lists(WEATHER, max_size=6),
    stops=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 13)), max_size=4),
    turns=st.lists(st.sampled_from(["here", "elsewhere", "unreachable", "hung up", "later"]), max_size=10),
)
@example(people=14, weather=[Weather(cut=cut, marked=False) for cut in (60, 90, 110, 120)], stops=[], turns=[])
@example(people=14, weather=[Weather(unlisted=True)] * 5, stops=[], turns=[])
@example(people=4, weather=[], stops=[(0, 3)], turns=["here", "unreachable"])
@example(people=4, weather=[], stops=[(1, 3)], turns=["hung up", "here", "hung up"])
@example(people=4, weather=[Weather(delay=2 * TIMEOUT)], stops=[(1, 3)], turns=["here", "later", "elsewhere"])
def test_nobody_is_texted_twice_nor_after_a_stop_and_the_account_adds_up(
    sqlite: Store, people: int, weather: list[Weather], stops: list[tuple[int, int]], turns: list[str]
) -> None:
    clock = Clock()
    phones = [f"139{next(_next_phone):08}" for _ in range(people)]
    stopped: set[str] = set()
    too_late: list[str] = []
    with Network(list(weather)) as network, patch.object(recipients, "LARGEST_BATCH", BATCH):
        send_id = Sending(sqlite, clock=clock).enqueue(SendRequest(phones, TEXT), "li.na").send_id
        here, elsewhere = (
            Dispatcher(sqlite, gateway_at(network.url, timeout=TIMEOUT), region="CN", clock=clock) for _ in range(2)
        )
        nowhere = gateway_at(f"http://127.0.0.1:{free_port()}/", timeout=TIMEOUT)
        unreachable = Dispatcher(sqlite, nowhere, region="CN", clock=clock)
        for number, turn in enumerate([*turns, *["here"] * people]):
            for when, who in stops:
                if when == number and who < people:
                    stop(sqlite, phones[who])
                    stopped.add(phones[who])
            before = len(network.texted)
            if turn == "later":
                clock.pass_(minutes=20)
                expire(sqlite, clock=clock)
            elif turn == "unreachable":
                with contextlib.suppress(NotSent):
                    assert unreachable.turn(send_id) is None
            else:
                # Whether a connection that is closed is seen to be before the write or by it, is as it happens.
                network.hangs_up = turn == "hung up"
                ended = (elsewhere if turn == "elsewhere" else here).turn(send_id)
                assert ended is None or isinstance(ended.error, GatewayError | None)
                assert ended is None or network.hangs_up or not isinstance(ended.error, NotSent)
                network.hangs_up = False
            assert turn not in ("unreachable", "hung up", "later") or len(network.texted) == before
            too_late += [phone for phone in network.texted[before:] if phone in stopped]
        assert here.turn(send_id) is None
    texted = Counter(f"+86{phone}" for phone in network.texted)
    assert set(texted.values()) <= {1}
    assert too_late == []
    counts = counted(sqlite, send_id)
    assert counts.keys() <= {"accepted", "refused", "blocked", "in_doubt"}
    assert sum(counts.values()) == people
    mine = {f"+86{phone}" for phone in phones}
    accepted, in_doubt = in_state(sqlite, "accepted") & mine, in_state(sqlite, "in_doubt") & mine
    assert accepted <= texted.keys() <= accepted | in_doubt

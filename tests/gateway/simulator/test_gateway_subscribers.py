"""People with phones: they answer what they are sent, and the simulator knows who said stop."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from receiver.gateway.simulator.gateway import Fault, Habits, Kind, Route, SimulatedGateway
from receiver.gateway.simulator.target import Target
from receiver.gateway.simulator.wire import Encoding, Unencodable
from receiver.store.store import Store
from receiver.store.tables import messages, optouts
from tests.serving import Server, free_port

from .asking import LOGIN, Clock, answer, whatever_comes

SEND = LOGIN + b"&dst=13900000001,13900000002&sender=12&msg=hi"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory: Path = tmp_path_factory.mktemp("subscribers")
    with Server(f"sqlite:///{directory / 'receiver.db'}", directory) as server:
        yield server


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_those_who_answer_are_heard_after_they_saw_the_text_and_to_the_number_it_came_from() -> None:
    clock = Clock()
    with SimulatedGateway(clock=clock, habits=Habits(replies=1, texts=["好的"], stops=0, after=10), seed=1) as gateway:
        answer(gateway, b"gsend.asp", SEND + b"&time=202603012100")
        clock.forward(3600 - 1)
        assert gateway.unread() == 0
        clock.forward(11)
        assert [(reply.src, reply.dst, reply.raw) for reply in gateway.replies] in (
            [(f"1390000000{first}", "1069000012", "好的".encode("gbk")) for first in order] for order in ("12", "21")
        )
        assert gateway.unread() == 2
        assert b"&msg=\xba\xc3\xb5\xc4&" in answer(gateway, b"readsms.asp")


def test_an_answer_that_is_due_is_there_for_whoever_reads_at_that_moment() -> None:
    clock = Clock()
    with SimulatedGateway(clock=clock, habits=Habits(replies=1, texts=["ok"], stops=0, after=10)) as gateway:
        answer(gateway, b"gsend.asp", SEND)
        clock.forward(11)
        assert b"&msg=ok&" in answer(gateway, b"readsms.asp")


def test_nobody_answers_a_text_that_was_not_sent() -> None:
    clock = Clock()
    faults = [Fault(Kind.ERROR_500, before=True)]
    with SimulatedGateway(clock=clock, habits=Habits(replies=1, after=0), faults=faults) as gateway:
        whatever_comes(gateway, b"gsend.asp", SEND)
        clock.forward(60)
        assert gateway.replies == []


def test_shares_are_kept_and_a_seed_repeats_them() -> None:
    def heard(seed: int) -> list[bytes]:
        clock = Clock()
        with SimulatedGateway(clock=clock, habits=Habits(replies=0.5, stops=0.2, after=1), seed=seed) as gateway:
            for group in range(5):
                phones = b",".join(b"139000%05d" % (100 * group + number) for number in range(90))
                answer(gateway, b"gsend.asp", LOGIN + b"&msg=hi&dst=" + phones)
            clock.forward(2)
            return [reply.raw for reply in gateway.replies]

    first = heard(1)
    assert 180 < len(first) < 270
    assert 20 < first.count(b"0000") < 70
    assert heard(1) == first
    assert heard(2) != first


def test_others_write_at_their_rate() -> None:
    clock = Clock()
    with SimulatedGateway(clock=clock, habits=Habits(unasked=2)) as gateway:
        assert len(gateway.replies) == 1
        clock.forward(10)
        assert len(gateway.replies) == 21


def test_a_text_to_who_said_stop_is_held_against_the_sender_once_the_stop_was_handed_over() -> None:
    clock = Clock()
    with SimulatedGateway(clock=clock) as gateway:
        gateway.put_reply("13900000001", "10690000", "0000")
        answer(gateway, b"gsend.asp", SEND)
        assert gateway.after_stop == []
        answer(gateway, b"readsms.asp")
        answer(gateway, b"gsend.asp", SEND)
        assert [sent.phone for sent in gateway.after_stop] == ["13900000001"]


def test_a_stop_that_was_lost_on_its_way_is_held_against_nobody() -> None:
    with SimulatedGateway(faults=[Fault(Kind.CUT, at=0, times=1)]) as gateway:
        gateway.put_reply("13900000001", "10690000", "0000")
        whatever_comes(gateway, b"readsms.asp")
        answer(gateway, b"gsend.asp", SEND)
        assert gateway.after_stop == []


@pytest.mark.parametrize("encoding", [Encoding.GB18030, Encoding.UTF_8, Encoding.RAW_GBK])
@pytest.mark.parametrize("twice", [False, True])
def test_replies_are_pushed_to_a_receiver_and_wait_in_the_inbox_only_if_they_come_twice(
    server: Server, encoding: Encoding, twice: bool
) -> None:
    dst = b"%d%d" % (list(Encoding).index(encoding), twice)
    habits = Habits(replies=1, texts=["好的 a&b=c"], stops=0, after=0)
    with SimulatedGateway(habits=habits, route=Route(Target.of(server.url), encoding, twice)) as gateway:
        answer(gateway, b"gsend.asp", LOGIN + b"&dst=13900000001,13900000002&msg=hi&sender=" + dst)
        until(lambda: gateway.pushed.total() == 2)
        assert (gateway.pushed["0"], gateway.unread()) == (2, 2 if twice else 0)
    store = Store(server.database_url, pooled=False)
    with store.reading() as connection:
        texts = connection.scalars(select(messages.c.text).where(messages.c.dst == f"10690000{dst.decode()}")).all()
    store.close()
    assert texts == ["好的 a&b=c"] * 2


def test_a_pushed_stop_is_known_once_it_was_acknowledged(server: Server) -> None:
    route = Route(Target.of(server.url))
    with SimulatedGateway(habits=Habits(replies=1, stops=1, after=0), route=route) as gateway:
        answer(gateway, b"gsend.asp", LOGIN + b"&dst=15400000077&msg=hi")
        until(lambda: gateway.pushed["0"] == 1)
        answer(gateway, b"gsend.asp", LOGIN + b"&dst=15400000077&msg=hi")
        assert len(gateway.after_stop) == 1
    store = Store(server.database_url, pooled=False)
    with store.reading() as connection:
        found = connection.scalar(select(func.count()).where(optouts.c.phone == "+8615400000077"))
    store.close()
    assert found == 1


def test_a_receiver_that_is_away_is_counted_and_nothing_is_pushed_again() -> None:
    route = Route(Target.of(f"http://127.0.0.1:{free_port()}/recv.asp"))
    with SimulatedGateway(habits=Habits(replies=1, after=0), route=route) as gateway:
        answer(gateway, b"gsend.asp", LOGIN + b"&dst=13900000001&msg=hi")
        until(lambda: gateway.pushed.total() == 1)
        assert gateway.pushed["unreachable: connection refused"] == 1


def test_a_text_that_cannot_be_pushed_is_refused_at_once() -> None:
    with pytest.raises(Unencodable, match="gbk has no '😀'"):
        SimulatedGateway(habits=Habits(texts=["😀"]), route=Route(encoding=Encoding.GBK))

"""Faults to order: what was carried out is on record whatever becomes of the answer."""

import random
import socket
import time

import pytest

from receiver.gateway.simulator.gateway import Fault, Kind, Page, SimulatedGateway
from receiver.gateway.simulator.gateway.breakage import broken
from receiver.gateway.simulator.gateway.faults import Luck, fault_names
from receiver.gateway.simulator.gateway.server import Response
from tests.callback.raw import exchange, get

from .asking import LOGIN, Clock, answer, port, whatever_comes

SEND = LOGIN + b"&dst=13900000001&msg=hi"
WHOLE = b"num=1&success=13900000001&faile=&err=\xb7\xa2\xcb\xcd\xb3\xc9\xb9\xa6&errid=0"


def gives_up(gateway: SimulatedGateway, target: bytes = b"gsend.asp?" + SEND) -> None:
    """Call, and leave without an answer after half a second."""
    with socket.create_connection(("127.0.0.1", port(gateway)), timeout=0.5) as connection:
        connection.sendall(get(b"/send/" + target))
        with pytest.raises(TimeoutError):
            connection.recv(1)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind.can_come_before and kind is not Kind.SLOW])
@pytest.mark.parametrize("before", [True, False])
def test_before_nothing_was_sent_and_after_it_was_though_the_caller_learns_neither(kind: Kind, before: bool) -> None:
    with SimulatedGateway(faults=[Fault(kind, before)], seed=1) as gateway:
        if kind is Kind.TIMEOUT:
            gives_up(gateway)
        else:
            assert WHOLE not in whatever_comes(gateway, b"gsend.asp", SEND)
        assert [sent.phone for sent in gateway.sent] == ([] if before else ["13900000001"])
        assert gateway.account().balance == (10_000 if before else 9_999)
        (call,) = gateway.calls
        assert (call.carried_out, call.fault) == (not before, f"{kind}-before" if before else kind)


@pytest.mark.parametrize("before", [True, False])
def test_a_slow_call_is_carried_out_even_if_the_caller_has_left(before: bool) -> None:
    with SimulatedGateway(faults=[Fault(Kind.SLOW, before, seconds=1.0)]) as gateway:
        gives_up(gateway)
        assert len(gateway.sent) == (0 if before else 1)
        assert WHOLE in whatever_comes(gateway, b"gsend.asp", SEND)
        assert len(gateway.sent) == 2


def test_what_waits_to_be_carried_out_never_is_once_the_gateway_is_closed() -> None:
    with SimulatedGateway(faults=[Fault(Kind.SLOW, before=True, seconds=60)]) as gateway:
        gives_up(gateway)
    assert (gateway.sent, gateway.calls) == ([], [])


@pytest.mark.parametrize("kind", [Kind.CUT, Kind.CUT_UNMARKED, Kind.RESET])
def test_an_answer_ends_at_any_byte_of_its_body(kind: Kind) -> None:
    with SimulatedGateway() as gateway:
        for at in range(len(WHOLE)):
            gateway.faults = [Fault(kind, at=at)]
            came = whatever_comes(gateway, b"gsend.asp", SEND)
            head, _, body = came.partition(b"\r\n\r\n")
            assert body == WHOLE[:at]
            assert (b"Content-Length: %d" % len(WHOLE) in head) == (kind is not Kind.CUT_UNMARKED)
        assert len(gateway.sent) == len(WHOLE)


def test_an_answer_ends_in_its_head_or_before_it() -> None:
    with SimulatedGateway() as gateway:
        gateway.faults = [Fault(Kind.CUT, at=-10)]
        assert whatever_comes(gateway, b"gsend.asp", SEND).startswith(b"HTTP/1.1 200 OK\r\n")
        gateway.faults = [Fault(Kind.CUT, at=-100_000)]
        assert whatever_comes(gateway, b"gsend.asp", SEND) == b""
        assert len(gateway.sent) == 2
        gateway.faults = [Fault(Kind.RESET, before=True)]
        assert whatever_comes(gateway, b"gsend.asp", SEND) == b""
        assert len(gateway.sent) == 2


def test_an_answer_that_is_to_be_cut_never_comes_whole() -> None:
    with SimulatedGateway(faults=[Fault(Kind.CUT, at=1_000)]) as gateway:
        assert whatever_comes(gateway, b"gsend.asp", SEND).endswith(b"\r\n\r\n" + WHOLE[:-1])


class Lowest(random.Random):
    def randint(self, a: int, b: int) -> int:
        return a


@pytest.mark.parametrize("kind", [Kind.CUT, Kind.CUT_UNMARKED, Kind.RESET])
def test_at_the_worst_not_a_byte_comes(kind: Kind) -> None:
    response = broken(Response(WHOLE), Fault(kind), Lowest())
    assert response.end == -len(response.head())


def test_without_a_place_an_answer_ends_anywhere_but_at_its_end() -> None:
    with SimulatedGateway(faults=[Fault(Kind.CUT)], seed=7) as gateway:
        lengths = {len(whatever_comes(gateway, b"gsend.asp", SEND)) for _ in range(40)}
        gateway.faults = []
        whole = len(exchange(port(gateway), get(b"/send/gsend.asp?" + SEND)))
    assert max(lengths) < whole
    assert len(lengths) > 20


def test_a_reset_connection_is_reset() -> None:
    with SimulatedGateway(faults=[Fault(Kind.RESET, at=0)]) as gateway, pytest.raises(ConnectionResetError):
        exchange(port(gateway), get(b"/send/gsend.asp?" + SEND))


@pytest.mark.parametrize(
    ("kind", "status", "said"),
    [
        (Kind.ERROR_500, b"HTTP/1.1 500 ", "错误 '800a01a8'".encode("gbk")),
        (Kind.ERROR_PAGE, b"HTTP/1.1 200 OK", b"<title>\xcf\xb5\xcd\xb3\xce\xac\xbb\xa4</title>"),
    ],
)
def test_an_error_page_is_html(kind: Kind, status: bytes, said: bytes) -> None:
    with SimulatedGateway(faults=[Fault(kind)]) as gateway:
        came = whatever_comes(gateway, b"getfee.asp")
    assert came.startswith(status)
    assert said in came


@pytest.mark.parametrize(
    ("charset", "written"), [("gb18030", "演示".encode()), ("utf-8", "演示".encode("gbk"))], ids=["gb18030", "utf-8"]
)
def test_a_wrong_charset_is_the_other_one(charset: str, written: bytes) -> None:
    with SimulatedGateway(charset=charset, faults=[Fault(Kind.WRONG_CHARSET)]) as gateway:
        assert answer(gateway, b"getfee.asp") == b"id=10000&err=&errid=0&short=" + written


def test_parameters_come_in_any_order_and_with_white_space() -> None:
    with SimulatedGateway(faults=[Fault(Kind.SHUFFLED)], seed=2) as gateway:
        answers = {answer(gateway, b"gsend.asp", SEND) for _ in range(20)}
        assert {tuple(sorted(said.split(b"&"))) for said in answers} == {tuple(sorted(WHOLE.split(b"&")))}
        assert len(answers) > 10
        gateway.faults = [Fault(Kind.SPACED)]
        assert answer(gateway, b"gsend.asp", SEND) == b"\r\n " + WHOLE.replace(b"&", b"\r\n&") + b" \r\n\r\n"


def test_a_reply_that_is_not_marked_as_read_comes_again_under_its_number() -> None:
    clock = Clock()
    with SimulatedGateway(clock=clock, faults=[Fault(Kind.DUPLICATE, times=1)]) as gateway:
        gateway.put_reply("13900000001", "10690000", "hi")
        first = answer(gateway, b"readsms.asp")
        clock.forward(6)
        assert answer(gateway, b"readsms.asp") == first
        clock.forward(6)
        assert answer(gateway, b"readsms.asp").startswith(b"id=0&")


def test_src_may_be_empty_with_the_phone_in_dst() -> None:
    with SimulatedGateway(clock=Clock(), faults=[Fault(Kind.EMPTY_SRC)]) as gateway:
        gateway.put_reply("13900000001", "10690000", "hi")
        said = answer(gateway, b"readsms.asp")
    assert said == b"id=9586&err=&src=&msg=hi&dst=13900000001&time=202603012000"


def test_an_answer_that_is_lost_takes_the_reply_with_it() -> None:
    with SimulatedGateway(faults=[Fault(Kind.CUT, at=0)]) as gateway:
        gateway.put_reply("13900000001", "10690000", "hi")
        whatever_comes(gateway, b"readsms.asp")
        assert gateway.unread() == 0


def test_a_slow_answer_counts_from_when_it_comes() -> None:
    clock = Clock()
    with SimulatedGateway(clock=clock) as gateway:
        gateway.faults = [Fault(Kind.SLOW, seconds=1.5, times=1)]
        with socket.create_connection(("127.0.0.1", port(gateway)), timeout=10) as connection:
            connection.sendall(get(b"/send/readsms.asp?" + LOGIN))
            while not gateway.calls:
                time.sleep(0.01)
            clock.forward(60)
            assert connection.recv(10) == b"HTTP/1.1 2"
        answer(gateway, b"readsms.asp")
        assert [violation.seconds for violation in gateway.violations] == [0]


def test_a_read_while_another_is_slow_is_too_soon() -> None:
    with SimulatedGateway(faults=[Fault(Kind.SLOW, seconds=60, times=1)]) as gateway:
        gives_up(gateway, b"readsms.asp?" + LOGIN)
        answer(gateway, b"readsms.asp")
        assert len(gateway.violations) == 1


def befallen(fault: Fault, pages: list[Page], seed: int = 1) -> list[bool]:
    luck = Luck([fault], random.Random(seed))
    return [bool(luck.draw(page)) for page in pages]


def test_every_nth_call_of_its_pages_is_hit_and_no_more_than_so_many_times() -> None:
    fault = Fault(Kind.CUT, every=3, times=2, pages=frozenset([Page.SEND]))
    hits = befallen(fault, [Page.SEND, Page.FEE] * 12)
    assert [number for number, hit in enumerate(hits) if hit] == [4, 10]


def test_a_share_of_calls_is_hit_and_a_seed_repeats_which() -> None:
    fault = Fault(Kind.CUT, rate=0.2)
    first = befallen(fault, [Page.SEND] * 1000)
    assert 150 < sum(first) < 250
    assert befallen(fault, [Page.SEND] * 1000) == first
    assert befallen(fault, [Page.SEND] * 1000, seed=2) != first


def test_of_two_faults_that_lose_the_answer_one_does_and_any_may_deform_it() -> None:
    luck = Luck([Fault(Kind.SHUFFLED), Fault(Kind.TIMEOUT), Fault(Kind.CUT), Fault(Kind.SPACED)], random.Random(1))
    assert [fault.kind for fault in luck.draw(Page.SEND)] == [Kind.TIMEOUT, Kind.SHUFFLED, Kind.SPACED]


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("timeout=0.1", Fault(Kind.TIMEOUT, rate=0.1)),
        ("timeout-before=10%", Fault(Kind.TIMEOUT, before=True, rate=0.1)),
        ("gsend:cut=every:5", Fault(Kind.CUT, every=5, pages=frozenset([Page.SEND]))),
        ("error-500=1", Fault(Kind.ERROR_500, rate=1)),
        ("readsms:empty-src=.5", Fault(Kind.EMPTY_SRC, rate=0.5, pages=frozenset([Page.READ]))),
    ],
)
def test_a_fault_is_written_as_its_name_and_how_often(written: str, fault: Fault) -> None:
    assert Fault.parse(written) == fault


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("timeout", "write for example timeout=0.1"),
        ("hang=0.1", "no fault is called 'hang'; there are timeout, timeout-before, slow"),
        ("send:cut=0.1", "no page is called 'send'; there are gsend, checkcontent"),
        ("cut-before=0.1", "leave -before away"),
        ("cut=2", "a share from 0 to 1"),
        ("cut=every:0", "every:N with N from 1"),
        ("cut=0.1.2", "write for example"),
    ],
)
def test_what_is_no_fault_is_refused_with_the_way_out(written: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Fault.parse(written)


def test_every_name_of_a_fault_can_be_written() -> None:
    assert {Fault.parse(f"{name}=1").name for name in fault_names()} == set(fault_names())

"""Who may call the callback: by address, seen through trusted proxies, and by token; refusals are -2 and bounded."""

import logging
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_network

import pytest

from receiver.callback.access import Access
from receiver.intake import refusals
from tests.callback.conftest import InProcess, Receiver, running
from tests.callback.raw import ask, post

TOKEN = "s3cret-token"
SETTINGS = {
    "RECEIVER_CALLBACK_TOKEN": TOKEN,
    "RECEIVER_ALLOWED_SOURCES": "203.81.21.0/24",
    "RECEIVER_TRUSTED_PROXIES": "127.0.0.1,10.0.0.0/8",
}
Make = Callable[..., InProcess]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver that is called through our proxy and wants a token."""
    directory = tmp_path_factory.mktemp("guarded")
    with running(f"sqlite:///{directory / 'receiver.db'}", directory, SETTINGS) as started:
        yield started


SOURCES = [
    # what it is, X-Forwarded-For, answer, peer that is stored
    ("from the gateway through our proxy", b"203.81.21.34", b"0", "203.81.21.34"),
    ("through two of our proxies", b"203.81.21.34, 10.1.2.3", b"0", "203.81.21.34"),
    ("from a stranger", b"198.51.100.7", b"-2", "198.51.100.7"),
    ("from a stranger who says he is the gateway", b"203.81.21.34, 198.51.100.7", b"-2", "198.51.100.7"),
    ("from the proxy itself", None, b"-2", "127.0.0.1"),
    ("for nobody that we understand", b"_hidden", b"-2", "unknown"),
    ("for the gateway, port and all", b"203.81.21.34:4711", b"0", "203.81.21.34"),
    ("for a stranger, port and all", b"198.51.100.7:4711", b"-2", "198.51.100.7"),
]


@pytest.mark.parametrize(("forwarded", "answer", "peer"), [pytest.param(*case[1:], id=case[0]) for case in SOURCES])
def test_a_trusted_proxy_is_believed_about_whom_it_speaks_for(
    guarded: Receiver, forwarded: bytes | None, answer: bytes, peer: str
) -> None:
    messages, kept = len(guarded.stored.messages()), len(guarded.stored.quarantined())
    headers = [] if forwarded is None else [b"X-Forwarded-For: " + forwarded]
    response = guarded.get(b"/recv.asp?token=s3cret-token&src=13900002001&dst=1&msg=a", *headers)
    assert (response.status, response.body) == (200, answer)
    if answer == b"0":
        assert guarded.stored.messages()[messages].peer == peer
    else:
        assert len(guarded.stored.messages()) == messages
        _until(lambda: len(guarded.stored.quarantined()) > kept)
        row = guarded.stored.quarantined()[kept]
        assert (row.reason, row.peer, row.unsubscribes) == ("source-not-allowed", peer, None)
        assert row.raw == b"src=13900002001&dst=1&msg=a"


TOKENS = [
    ("in the query", b"/recv.asp?token=s3cret-token&src=13900002011&dst=1&msg=a", b"0"),
    ("at the end of the query", b"/recv.asp?src=13900002012&dst=1&msg=a&token=s3cret-token", b"0"),
    ("in capitals as ASP would take it", b"/recv.asp?TOKEN=s3cret-token&src=13900002013&dst=1&msg=a", b"0"),
    ("escaped", b"/recv.asp?token=s3cret%2Dtoken&src=13900002014&dst=1&msg=a", b"0"),
    ("in the path", b"/s3cret-token/recv.asp?src=13900002015&dst=1&msg=a", b"0"),
    ("in both", b"/s3cret-token/recv.asp?token=s3cret-token&src=13900002016&dst=1&msg=a", b"0"),
    ("none", b"/recv.asp?src=13900002021&dst=1&msg=a", b"-2"),
    ("empty", b"/recv.asp?token=&src=13900002022&dst=1&msg=a", b"-2"),
    ("wrong", b"/recv.asp?token=S3cret-token&src=13900002023&dst=1&msg=a", b"-2"),
    ("its beginning", b"/recv.asp?token=s3cret&src=13900002024&dst=1&msg=a", b"-2"),
    ("wrong in the path", b"/wrong-token/recv.asp?src=13900002025&dst=1&msg=a", b"-2"),
    ("right in the path, wrong in the query", b"/s3cret-token/recv.asp?token=x&src=13900002026&dst=1&msg=a", b"-2"),
    ("right and wrong", b"/recv.asp?token=s3cret-token&token=x&src=13900002027&dst=1&msg=a", b"-2"),
    ("raw bytes", b"/recv.asp?token=\xff\xc4\xe3&src=13900002028&dst=1&msg=a", b"-2"),
    ("wrong, with an unsubscribe", b"/recv.asp?token=x&src=13900002029&dst=1&msg=0000", b"-2"),
]


@pytest.mark.parametrize(("target", "answer"), [pytest.param(*case[1:], id=case[0]) for case in TOKENS])
def test_the_token_must_match(guarded: Receiver, target: bytes, answer: bytes) -> None:
    response = guarded.get(target, b"X-Forwarded-For: 203.81.21.34")
    assert (response.status, response.body) == (200, answer)
    phone = "+86" + target[target.index(b"139") :][:11].decode()
    rows = guarded.stored.messages(src=phone)
    assert [row.text for row in rows] == (["a"] if answer == b"0" else [])
    assert not guarded.stored.is_opted_out(phone)


def test_a_token_in_a_form_is_none(guarded: Receiver) -> None:
    form = post(
        b"/recv.asp",
        b"token=s3cret-token&src=13900002030&dst=1&msg=a",
        b"Content-Type: application/x-www-form-urlencoded",
        b"X-Forwarded-For: 203.81.21.34",
    )
    assert ask(guarded.port, form).body == b"-2"


QUARANTINED = [
    b"/recv.asp?token=s3cret-token&src=13900002041&msg=a",
    b"/recv.asp?src=13900002042&token=s3cret-token&msg=a",
    b"/recv.asp?src=13900002043&msg=a&token=s3cret-token",
    b"/recv.asp?src=13900002044&msg=a&TOKEN=s3cret-token&token=s3cret-token",
    b"/s3cret-token/recv.asp?src=13900002045&msg=a",
    b"/recv.asp?src=13900002046&dst=1&token=s3cret-token&msg=" + b"x" * 9_000,
    b"/recv.asp?token=wrong-but-like-s3cret-token&src=13900002047&msg=a",
    b"/recv.asp?%74oken=s3cret%2Dtoken&src=13900002048&msg=a",
]


@pytest.mark.parametrize(
    "target", QUARANTINED, ids=[target[target.index(b"139") :][:11].decode() for target in QUARANTINED]
)
def test_no_token_is_kept_in_quarantine(guarded: Receiver, target: bytes) -> None:
    phone = target[target.index(b"139") :][:11]
    assert guarded.get(target, b"X-Forwarded-For: 203.81.21.34").body in (b"-1", b"-2", b"-3")
    _until(lambda: any(phone in row.raw for row in guarded.stored.quarantined()))
    (row,) = [row for row in guarded.stored.quarantined() if phone in row.raw]
    assert b"s3cret" not in row.raw
    assert b"msg=" in row.raw


UNREADABLE = [
    ("no method", b"G@T /s3cret-token/recv.asp?token=s3cret-token&src=13900002051&dst=1&msg=a HTTP/1.1"),
    ("too long", b"GET /s3cret-token/recv.asp?src=13900002052&token=s3cret-token&dst=1&msg=" + b"x" * 70_000),
    ("too long, token first", b"GET /recv.asp?token=s3cret-token&src=13900002053&dst=1&msg=" + b"x" * 70_000),
    ("one line feed", b"GET /s3cret-token/recv.asp?token=s3cret-token&src=13900002054&dst=1&msg=a HTTP/1.1\n"),
]  # fmt: skip


@pytest.mark.parametrize("line", [pytest.param(case[1], id=case[0]) for case in UNREADABLE])
def test_no_token_is_kept_of_what_no_parser_accepts(guarded: Receiver, line: bytes) -> None:
    phone = line[line.index(b"139") :][:11]
    ask(guarded.port, line + b"\r\nX-Forwarded-For: 203.81.21.34\r\n\r\n")
    _until(lambda: any(phone in row.raw for row in guarded.stored.quarantined()))
    (row,) = [row for row in guarded.stored.quarantined() if phone in row.raw]
    assert b"s3cret" not in row.raw


def test_neither_token_nor_phone_is_logged(guarded: Receiver) -> None:
    assert "s3cret" not in guarded.server.log
    assert "1390000" not in guarded.server.log
    assert "198.51.100.7" in guarded.server.log  # but who was refused is


def test_an_untrusted_proxy_is_not_believed(in_process: Make) -> None:
    app = in_process(allowed_sources=["203.81.21.0/24"])
    assert app.get(b"src=13900002061&dst=1&msg=a", peer="198.51.100.7", forwarded="203.81.21.34") == b"-2"
    assert app.get(b"src=13900002062&dst=1&msg=a", peer="203.81.21.34", forwarded="198.51.100.7") == b"0"
    assert app.stored.messages()[0].peer == "203.81.21.34"


def test_by_default_only_this_machine_may_call(in_process: Make) -> None:
    app = in_process()
    answers = [app.get(b"src=13900002063&dst=1&msg=a", peer=peer) for peer in ("127.0.0.1", "::1", "10.0.0.1", "", "?")]
    assert answers == [b"0", b"0", b"-2", b"-2", b"-2"]


def test_refusals_are_counted_by_source_and_reason_and_logged_once(
    in_process: Make, caplog: pytest.LogCaptureFixture
) -> None:
    app = in_process(callback_token=TOKEN)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert app.get(b"src=13900002064&dst=1&msg=a", peer="198.51.100.7") == b"-2"
        for _ in range(2):
            assert app.get(b"src=13900002065&dst=1&msg=a&token=wrong", peer="127.0.0.1") == b"-2"
        assert app.get(b"src=13900002066&dst=1&msg=a&token=s3cret-token", peer="127.0.0.1") == b"0"
        app.close()
    counted = {(row.peer, row.reason): row["count"] for row in app.stored.refusals()}
    assert counted == {("198.51.100.7", "source-not-allowed"): 3, ("127.0.0.1", "wrong-token"): 2}
    assert all(row.first_at <= row.last_at for row in app.stored.refusals())
    warned = [record.getMessage() for record in caplog.records]
    assert len(warned) == 2
    assert "198.51.100.7" in warned[0]
    assert "RECEIVER_ALLOWED_SOURCES" in warned[0]
    assert "1390000" not in caplog.text


def test_only_a_bounded_number_of_refused_deliveries_is_kept(in_process: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "KEPT_PER_SOURCE", 3)
    monkeypatch.setattr(refusals, "KEPT_IN_ALL", 5)
    app = in_process()
    for peer in ("198.51.100.7", "198.51.100.8", "198.51.100.9"):
        for _ in range(4):
            assert app.get(b"src=13900002067&dst=1&msg=a", peer=peer) == b"-2"
    app.close()
    kept = [row.peer for row in app.stored.quarantined()]
    assert kept == ["198.51.100.7"] * 3 + ["198.51.100.8"] * 2
    assert [row["count"] for row in app.stored.refusals()] == [4, 4, 4]


ACCESS = [
    # peer, X-Forwarded-For, source
    ("203.81.21.34", None, "203.81.21.34"),
    ("203.81.21.34", "198.51.100.7", "203.81.21.34"),
    ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
    ("10.0.0.1", "198.51.100.7, 10.0.0.2", "198.51.100.7"),
    ("10.0.0.1", "203.81.21.34,198.51.100.7 , 10.0.0.2", "198.51.100.7"),
    ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
    ("10.0.0.1", "", "10.0.0.1"),
    ("10.0.0.1", "nonsense", "unknown"),
    ("10.0.0.1", "203.81.21.34, nonsense", "unknown"),
    ("10.0.0.1", "203.81.21.34:80, 10.0.0.2:81", "203.81.21.34"),
    ("10.0.0.1", "[2001:db8::1]:80", "2001:db8::1"),
    ("10.0.0.1", "fe80::9%" + "A" * 100, "fe80::9"),
    ("::ffff:203.81.21.34", None, "203.81.21.34"),
    ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
    ("10.0.0.1", "2001:DB8::0001", "2001:db8::1"),
    ("", "203.81.21.34", "unknown"),
    ("x" * 100, None, "unknown"),
]


@pytest.mark.parametrize(("peer", "forwarded", "source"), ACCESS)
def test_the_source_is_whom_the_last_trusted_hop_speaks_for(peer: str, forwarded: str | None, source: str) -> None:
    assert Access([], [ip_network("10.0.0.0/8")], None).source(peer, forwarded) == source


def _until(holds: Callable[[], bool]) -> None:
    """What is kept of a refused delivery is written after the answer."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, "never written"
        time.sleep(0.01)


def test_a_stranger_behind_a_proxy_gains_nothing_by_a_request_that_can_not_be_read(guarded: Receiver) -> None:
    stop = b"GET /recv.asp?token=s3cret-token&src=13900002091&dst=1&msg=0000 HTTP/1.1\r\n"
    many = b"".join(b"X-%d: a\r\n" % number for number in range(200))
    for headers in (b"X-Forwarded-For: 198.51.100.7\r\n" + many, many, b"X-Forwarded-For: 198.51.100.7\r\nbad\r\n"):
        assert ask(guarded.port, stop + headers + b"\r\n").body == b"-2"
    assert not guarded.stored.is_opted_out("+8613900002091")

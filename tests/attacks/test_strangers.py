"""A stranger on the network, and one who has learnt the callback's URL: what they forge, replay, hide and find out."""

import json
from urllib.parse import quote

import pytest

from receiver.access import Scope
from tests.admin.conftest import UNREACHED, running
from tests.admin.raw import ask, written
from tests.attacks.conftest import GATEWAY, STRANGER, TOKEN, House
from tests.callback import raw
from tests.callback.raw import exchange, get, responses

OWN = b"&token=" + TOKEN.encode()

# What a stranger may write into the header that says whom a proxy speaks for: the proxy adds who wrote it.
CLAIMS = [
    b"X-Forwarded-For: 203.81.21.34, 198.51.100.7",
    b"X-Forwarded-For: 203.81.21.34\r\nX-Forwarded-For: 198.51.100.7",
    b"X_Forwarded_For: 203.81.21.34\r\nX-Forwarded-For: 198.51.100.7",
    b"X-Forwarded-For: 198.51.100.7\r\nX_Forwarded_For: 203.81.21.34",
    b"X-Forwarded-For: 198.51.100.7\r\nForwarded: for=203.81.21.34",
    b"X-Forwarded-For: 198.51.100.7\r\nX-Real-IP: 203.81.21.34\r\nTrue-Client-IP: 203.81.21.34",
    b"X-Forwarded-For: 203.81.21.34,127.0.0.1,198.51.100.7",
    b"X-Forwarded-For: 203.81.21.34 198.51.100.7",
    b"X-Forwarded-For: 203.81.21.034",
    b"X-Forwarded-For: ::ffff:198.51.100.7",
    b"X-Forwarded-For: \xff203.81.21.34",
    b"X-Forwarded-For:",
]


@pytest.mark.parametrize("claim", CLAIMS)
def test_nobody_s_stop_or_reply_is_forged_from_elsewhere(claim: bytes, house: House) -> None:
    phone = b"13900007101"
    for msg in (b"0000", b"hello"):
        assert house.push(b"src=" + phone + b"&dst=1069&msg=" + msg + OWN, claim).body == b"-2"
    assert house.stored.messages(src="+8613900007101") == []
    assert not house.stored.is_opted_out("+8613900007101")


GUESSES = [
    b"", b"&token=", b"&token=s3cret", b"&token=S3CRET-TOKEN-OF-OURS", b"&token=s3cret-token-of-ours%00",
    b"&token[]=s3cret-token-of-ours", b"&token=x&token=s3cret-token-of-ours", b"&token=s3cret-token-of-ours%20",
    b"&token=%EF%BD%933cret-token-of-ours", b";token=s3cret-token-of-ours",
]  # fmt: skip


@pytest.mark.parametrize("guess", GUESSES)
def test_who_knows_the_address_but_not_the_token_forges_nothing(guess: bytes, house: House) -> None:
    assert house.push(b"src=13900007102&dst=1069&msg=0000" + guess).body == b"-2"
    assert not house.stored.is_opted_out("+8613900007102")


def test_a_push_that_is_replayed_is_refused_from_elsewhere_and_flagged_from_the_gateway(house: House) -> None:
    overheard = b"src=13900007103&dst=1069&msg=yes+please" + OWN
    assert house.push(overheard).body == b"0"
    assert house.push(overheard, STRANGER).body == b"-2"
    assert house.push(overheard).body == b"0"
    first, second = house.stored.messages(src="+8613900007103")
    assert (first.duplicate_of, second.duplicate_of) == (None, first.id)


def test_a_second_request_is_not_smuggled_within_a_first(house: House) -> None:
    inner = (
        b"GET /recv.asp?src=13900007104&dst=1069&msg=0000" + OWN + b" HTTP/1.1\r\nHost: x\r\n" + GATEWAY + b"\r\n\r\n"
    )
    head = b"POST /recv.asp HTTP/1.1\r\nHost: x\r\n" + STRANGER + b"\r\n"
    for both in (
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % (len(inner) + 5),
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(inner),
        b"Content-Length: +0\r\n\r\n",
        b"Content-Length: 0x0\r\n\r\n",
    ):
        answers = responses(exchange(house.callback.port, head + both + inner, half_close=True, may_reset=True))
        assert [answer.body for answer in answers] == [b"-2"], both
        admins = written("GET", "/healthz", None)
        begun = head.replace(b"/recv.asp", b"/login") + both + admins
        assert exchange(house.admin.port, begun, half_close=True, may_reset=True).count(b"HTTP/1.1 ") == 1, both
    assert not house.stored.is_opted_out("+8613900007104")


def test_a_line_feed_in_an_address_makes_no_second_request(house: House) -> None:
    target = b"/recv.asp?src=13900007105&dst=1069&msg=a\nGET /recv.asp?src=13900007106&dst=1069&msg=0000" + OWN
    exchange(house.callback.port, get(target, STRANGER), half_close=True, may_reset=True)
    assert not house.stored.is_opted_out("+8613900007106")


def test_strangers_are_told_alike_whoever_they_ask_about(house: House) -> None:
    house.reply(b"src=13900007107&dst=1069&msg=0000")
    known, unknown = b"13900007107", b"13900007108"
    answers = [house.push(b"src=" + phone + b"&dst=1069&msg=0000", STRANGER) for phone in (known, unknown)]
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"-2")] * 2
    for path in (b"/api/v1/optouts/%b", b"/api/v1/subscribers/%b", b"/api/v1/messages?src=%b", b"/optouts?phone=%b"):
        told = [ask(house.admin.port, written("GET", path % phone, None)) for phone in (known, unknown)]
        assert told[0].status == told[1].status
        assert told[0].status in (303, 401, 404)
        assert len({strip(answer.body, phone) for answer, phone in zip(told, (known, unknown), strict=True)}) == 1
    for key in ("rcv_00000000_" + "x" * 43, house.admin.key(Scope.ADMIN).token[:-2] + "_-"):
        answer = ask(house.admin.port, written("GET", "/api/v1/optouts/13900007107", key))
        assert (answer.status, "there is no such key" in answer.json["detail"]) == (401, True)


def strip(body: bytes, phone: bytes) -> bytes:
    """What an answer says but for the id of the request, and for what was asked."""
    said = json.loads(body) if body.startswith(b"{") else {"page": body.replace(phone, b"").decode()}
    return json.dumps({name: value for name, value in said.items() if name != "request_id"}).encode()


FORGED = '\r\n{"event": "a forged line"}\r\n\x1b[2J\x1b]0;owned\x07\u2028\u202e\x9b31mforged'


def test_no_line_of_a_log_is_forged(house: House) -> None:
    written_out = quote(FORGED.encode())
    for name in ("src", "dst", "msg", "token", FORGED):
        house.push(f"src=x&dst=1069&msg=a&{quote(name)}={written_out}".encode(), GATEWAY)
        house.push(f"src=13900007109&dst=1069&msg=a&{quote(name)}={written_out}".encode() + OWN, GATEWAY)
    for path in (f"/{written_out}/recv.asp", f"/recv.asp{written_out}", f"/{written_out}"):
        raw.ask(house.callback.port, get(path.encode() + b"?msg=" + written_out.encode(), GATEWAY))
        ask(house.admin.port, written("GET", path.encode(), None))
    for header in (
        b"X-Forwarded-For",
        b"User-Agent",
        b"Host",
        b"Content-Type",
        b"Authorization",
        b"Cookie",
        b"X-Request-Id",
    ):
        value = FORGED.encode().replace(b"\r\n", b" ")
        raw.responses(exchange(house.callback.port, get(b"/recv.asp", header + b": " + value), may_reset=True))
        ask(house.admin.port, written("GET", "/nowhere", None, None, header + b": " + value))
    form = f"name={written_out}&password={written_out}&csrf=x".encode()
    kind = b"Content-Type: application/x-www-form-urlencoded"
    ask(house.admin.port, written("POST", "/login", None, form, kind))
    for line in house.logs.splitlines():
        assert isinstance(json.loads(line), dict), line
        assert "forged" not in line
    assert not set("\x1b\x07\x9b\u2028\u202e") & set(house.logs)


def test_whoever_guesses_keys_is_soon_not_listened_to(house: House, tmp_path_factory: pytest.TempPathFactory) -> None:
    limits = {**UNREACHED, "RECEIVER_RATE_LIMIT_FAILURES": "5/hour", "RECEIVER_TRUSTED_PROXIES": "127.0.0.1"}
    directory = tmp_path_factory.mktemp("guessed")
    with running(house.admin.server.database_url, directory, limits) as admin:
        good = admin.key(Scope.MESSAGES_READ).token

        def status(token: str, who: bytes) -> int:
            return ask(admin.port, written("GET", "/api/v1/messages?limit=1", token, None, who)).status

        guesses = [status(f"rcv_{number:08x}_{'x' * 43}", STRANGER) for number in range(8)]
        assert guesses == [401] * 5 + [429] * 3
        # Neither by another address that the same stranger writes before his own, nor does it shut out who has a key.
        assert status("rcv_x", b"X-Forwarded-For: 192.0.2.1, 198.51.100.7") == 429
        assert (status(good, STRANGER), status("rcv_x", GATEWAY)) == (200, 401)

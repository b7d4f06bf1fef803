"""POST keeps the password out of URL logs; GET is used where the gateway proves that it did not read a POST."""

from collections.abc import Callable
from typing import Any

import pytest

from receiver.gateway import Gateway, InDoubt, NotSent, NotTaken, Refusal, Unreadable
from receiver.gateway.client.request import Form
from receiver.gateway.client.transport import Deadline, Site, exchange
from tests.gateway.client.conftest import Answers, client
from tests.gateway.client.wire import Behaviour, Reset, http

SENT = http(b"num=1&success=13900000001&faile=&err=&errid=0")
BALANCE = http(b"id=5&err=&errid=0&short=")
REPLY = http(b"id=7&err=&src=13900000001&msg=a&dst=1069&time=200505241713")
NOTHING = http(b"id=0&err=&src=&msg=&dst=&time=")


def refused(code: int) -> bytes:
    """A refusal as every page but readsms.asp writes it."""
    return http(b"num=0&id=-9999&success=&faile=&err=&errid=%d" % code)


CALLS: list[tuple[str, Callable[[Gateway], Any], bytes]] = [
    ("check", lambda gateway: gateway.check_content("a"), http(b"errid=0")),
    ("balance", Gateway.balance, BALANCE),
    ("password", lambda gateway: gateway.change_password("another"), http(b"errid=0")),
]
calls = pytest.mark.parametrize(("call", "good"), [pytest.param(*case[1:], id=case[0]) for case in CALLS])
NOT_TAKEN = [http(b"", b"405 Method Not Allowed"), http(b"", b"501 Not Implemented"), refused(6001), refused(6010)]


@calls
@pytest.mark.parametrize("not_taken", NOT_TAKEN)
def test_where_post_is_not_taken_get_is_used_and_remembered(
    call: Callable[[Gateway], Any], good: bytes, not_taken: bytes, answers: Answers
) -> None:
    server = answers(not_taken, good)
    gateway = client(server, method="auto")
    call(gateway)
    assert [asked.method for asked in server.asked] == ["POST", "GET"]
    assert server.asked[0].form == server.asked[1].form
    call(gateway)
    assert [asked.method for asked in server.asked] == ["POST", "GET", "GET"]


@calls
@pytest.mark.parametrize("method", ["post", "get"])
@pytest.mark.parametrize("not_taken", NOT_TAKEN)
def test_a_method_that_is_set_is_kept(
    call: Callable[[Gateway], Any], good: bytes, method: str, not_taken: bytes, answers: Answers
) -> None:
    server = answers(not_taken, good)
    with pytest.raises((Refusal, Unreadable)):
        call(client(server, method=method))
    assert [asked.method for asked in server.asked] == [method.upper()]


@calls
@pytest.mark.parametrize("code", [6001, 6010])
def test_once_a_post_was_understood_these_codes_mean_what_they_say(
    call: Callable[[Gateway], Any], good: bytes, code: int, answers: Answers
) -> None:
    for understood in (good, refused(6003)):
        server = answers(understood, refused(code))
        gateway = client(server, method="auto")
        if understood is good:
            call(gateway)
        else:
            with pytest.raises(Refusal):
                call(gateway)
        with pytest.raises(Refusal) as said:
            call(gateway)
        assert said.value.code == code
        assert [asked.method for asked in server.asked] == ["POST", "POST"]


@calls
@pytest.mark.parametrize(
    "answer",
    [
        Reset(),
        b"",
        http(b"?"),
        http(b"<html>"),
        http(b"", b"500 Error"),
        http(b"", b"404 Not Found"),
        http(b"", b"403 Forbidden"),
        http(b"", b"302 Found", headers=b"Location: /\r\n"),
        http(b"num=0&id=-9999&errid=6001")[:-1],
        *map(refused, (6002, 6003, 6005, 6012, 6014, 6018, 7777)),
    ],
)
def test_no_other_answer_leads_to_a_second_request(
    call: Callable[[Gateway], Any], good: bytes, answer: Behaviour, answers: Answers
) -> None:
    server = answers(answer, good)
    if answer == refused(6005) and call is CALLS[0][1]:
        call(client(server, method="auto"))
    else:
        with pytest.raises((Refusal, InDoubt)):
            call(client(server, method="auto"))
    assert [asked.method for asked in server.asked] == ["POST"]


@calls
def test_a_name_that_neither_method_brings_is_wrong(
    call: Callable[[Gateway], Any], good: bytes, answers: Answers
) -> None:
    server = answers(refused(6001), refused(6010), refused(6001), refused(6001), good)
    gateway = client(server, method="auto")
    for code in (6010, 6001):
        with pytest.raises(Refusal) as said:
            call(gateway)
        assert said.value.code == code
    call(gateway)  # the account was opened meanwhile
    assert [asked.method for asked in server.asked] == ["POST", "GET"] * 2 + ["POST"]


def test_a_refusal_without_a_reason_settles_nothing(answers: Answers) -> None:
    server = answers(http(b"id=-9999&err=&errid="), refused(6001), BALANCE)
    gateway = client(server, method="auto")
    with pytest.raises(Refusal):
        gateway.balance()
    gateway.balance()
    assert [asked.method for asked in server.asked] == ["POST", "POST", "GET"]


def send(gateway: Gateway) -> Any:
    return gateway.send(["13900000001"], "a")


def send_on_a_line(gateway: Gateway) -> Any:
    with gateway.connect() as line:
        return line.send(["13900000001"], "a")


# What a gateway carries out by itself, so that it must not be asked twice.
ONCE: list[tuple[str, Callable[[Gateway], Any], bytes, str]] = [
    ("a send", send, SENT, "gsend.asp"),
    ("a send on a line", send_on_a_line, SENT, "gsend.asp"),
    ("a reply", Gateway.read_reply, REPLY, "readsms.asp"),
]
once = pytest.mark.parametrize(("call", "good", "page"), [pytest.param(*case[1:], id=case[0]) for case in ONCE])


@once
@pytest.mark.parametrize("not_taken", NOT_TAKEN)
def test_before_the_first_send_or_read_the_balance_tells_the_method(
    call: Callable[[Gateway], Any], good: bytes, page: str, not_taken: bytes, answers: Answers
) -> None:
    server = answers(not_taken, BALANCE, good)
    gateway = client(server, method="auto")
    assert call(gateway) == call(gateway)
    assert [(asked.method, asked.path.removeprefix("/send/")) for asked in server.asked] == [
        ("POST", "getfee.asp"),
        ("GET", "getfee.asp"),
        ("GET", page),
        ("GET", page),
    ]


@once
@pytest.mark.parametrize("first", [BALANCE, refused(6017)])
def test_an_understood_look_at_the_balance_is_enough(
    call: Callable[[Gateway], Any], good: bytes, page: str, first: bytes, answers: Answers
) -> None:
    server = answers(first, good)
    gateway = client(server, method="auto")
    assert call(gateway) == call(gateway)
    assert [asked.path.removeprefix("/send/") for asked in server.asked] == ["getfee.asp", page, page]
    assert {asked.method for asked in server.asked} == {"POST"}


@once
def test_nothing_is_sent_or_read_where_the_method_can_not_be_found(
    call: Callable[[Gateway], Any], good: bytes, page: str, answers: Answers
) -> None:
    for behaviour in (http(b"", b"500 Error"), Reset()):
        server = answers(behaviour, good)
        with pytest.raises(NotSent, match="RECEIVER_GATEWAY_METHOD"):
            call(client(server, method="auto"))
        assert [asked.path for asked in server.asked] == ["/send/getfee.asp"]
    server = answers(refused(6001))
    with pytest.raises(Refusal):
        call(client(server, method="auto"))
    assert {asked.path for asked in server.asked} == {"/send/getfee.asp"}


@once
@pytest.mark.parametrize("method", ["post", "get"])
def test_with_a_method_set_a_send_or_read_is_made_at_once(
    call: Callable[[Gateway], Any], good: bytes, page: str, method: str, answers: Answers
) -> None:
    server = answers(good)
    call(client(server, method=method))
    assert [(asked.method, asked.path) for asked in server.asked] == [(method.upper(), f"/send/{page}")]


@pytest.mark.parametrize("call", [send, send_on_a_line])
@pytest.mark.parametrize("not_taken", NOT_TAKEN[:2])
def test_a_send_by_post_that_is_not_taken_after_all_is_not_made_again_but_the_next_one_by_get(
    call: Callable[[Gateway], Any], not_taken: bytes, answers: Answers
) -> None:
    server = answers(BALANCE, not_taken, SENT)
    gateway = client(server, method="auto")
    with pytest.raises(NotTaken, match="RECEIVER_GATEWAY_METHOD=get"):
        call(gateway)
    assert [asked.method for asked in server.asked] == ["POST", "POST"]
    assert call(gateway).num == 1
    assert [asked.method for asked in server.asked] == ["POST", "POST", "GET"]


@pytest.mark.parametrize("call", [send, send_on_a_line])
@pytest.mark.parametrize("code", [6001, 6010])
def test_once_a_post_was_understood_a_send_is_refused_by_these_codes(
    call: Callable[[Gateway], Any], code: int, answers: Answers
) -> None:
    server = answers(BALANCE, refused(code))
    gateway = client(server, method="auto")
    for _ in range(2):
        with pytest.raises(Refusal) as said:
            call(gateway)
        assert said.value.code == code
    assert [asked.path for asked in server.asked] == ["/send/getfee.asp", *["/send/gsend.asp"] * 2]


@pytest.mark.parametrize("call", [send, send_on_a_line])
@pytest.mark.parametrize("not_taken", NOT_TAKEN)
def test_a_send_by_a_method_that_is_set_is_made_by_it_alone(
    call: Callable[[Gateway], Any], not_taken: bytes, answers: Answers
) -> None:
    for method in ("post", "get"):
        server = answers(not_taken, SENT)
        with pytest.raises((Refusal, Unreadable)):
            call(client(server, method=method))
        assert [asked.method for asked in server.asked] == [method.upper()]


def test_a_changed_password_is_used_from_then_on_and_no_other(answers: Answers) -> None:
    server = answers(http(b"errid=6016&err="), http(b"?"), http(b"errid=0"), BALANCE)
    gateway = client(server)
    for error in (Refusal, InDoubt):
        with pytest.raises(error):
            gateway.change_password("n&w-one")
    gateway.change_password("n&w-one")
    gateway.balance()
    assert [asked.parameters["pwd"] for asked in server.asked] == [b"S3cret&pass"] * 3 + [b"n&w-one"]


@calls
def test_a_call_that_is_made_by_both_methods_has_one_deadline(
    call: Callable[[Gateway], Any], good: bytes, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[float] = []

    def deadline(seconds: float) -> Deadline:
        begun.append(seconds)
        return Deadline(seconds)

    monkeypatch.setattr("receiver.gateway.client.gateway.Deadline", deadline)
    call(client(answers(refused(6001), good), method="auto", timeout=7.0))
    assert begun == [7.0]


def test_when_time_is_up_no_connection_is_made(answers: Answers) -> None:
    server = answers(BALANCE)
    with pytest.raises(NotSent, match="in time"):
        exchange(Site.of(server.url), "get", "getfee.asp", Form(b"name=shop"), Deadline(0))
    assert server.asked == []

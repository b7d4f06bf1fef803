"""No password, phone or text shows in a log, an exception, or a repr."""

import copy
import io
import logging
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from receiver.gateway import Gateway, GatewayError
from tests.gateway.client.conftest import Answers, client
from tests.gateway.client.wire import Behaviour, Reset, Silence, http

PHONE, TEXT, NEW = "13900000001", "Hello", "n3w-pass"
SECRETS = ("S3cret", PHONE, TEXT, NEW, "word-of-theirs", "gsend.asp?", "cpwd.asp?")

CALLS: list[Callable[[Gateway], Any]] = [
    lambda gateway: gateway.send([PHONE], TEXT),
    lambda gateway: gateway.check_content(TEXT),
    Gateway.balance,
    Gateway.read_reply,
    lambda gateway: gateway.change_password(NEW),
]
ECHO = b"S3cret&pass 13900000001 Hello word-of-theirs n3w-pass"
BEHAVIOURS: list[Behaviour] = [
    Reset(),
    Silence(),
    b"",
    ECHO,
    b"HTTP/1.1 " + ECHO + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + ECHO + b"\r\nno header\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + ECHO,
    http(ECHO),
    http(ECHO, b"500 " + ECHO),
    http(ECHO)[:-1],
    http(b"num=0&id=-9999&errid=6003&err=" + ECHO),
    http(b"num=x&id=x&errid=x&err=" + ECHO),
    http(b"num=1&num=13900000001&errid=1&errid=13900000001&id=1&id=13900000001"),
    http(b"id=1&errid=x&src=13900000001&err=" + ECHO),
]


@pytest.mark.parametrize("method", ["post", "get"])
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_whatever_fails_shows_no_secret(
    behaviour: Behaviour, method: str, answers: Answers, capfd: pytest.CaptureFixture[str]
) -> None:
    logged = io.StringIO()
    handler = logging.StreamHandler(logged)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        for call in CALLS:
            gateway = client(answers(behaviour), method=method, timeout=0.5)
            with pytest.raises(GatewayError) as failure:
                call(gateway)
            logging.getLogger("test").error("failed: %r", gateway, exc_info=failure.value)
            shown = [str(failure.value), repr(failure.value), repr(gateway), str(failure.value.args)]
            shown += traceback.format_exception(failure.value)
            assert not [secret for secret in SECRETS if secret in "".join(shown)]
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
    said = logged.getvalue() + "".join(capfd.readouterr())
    assert "failed" in said
    assert not [secret for secret in SECRETS if secret in said]


def test_a_call_that_succeeds_logs_nothing(answers: Answers, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for method in ("post", "get"):
            client(answers(http(b"num=1&errid=0")), method=method).send(["13900000001"], "Hello")
    assert caplog.records == []


def test_a_gateway_shows_whose_it_is_and_no_password(answers: Answers) -> None:
    server = answers(b"")
    gateway = client(server)
    assert repr(gateway) == str(gateway) == f"<Gateway 'shop' at 127.0.0.1:{server.port}>"
    assert "S3cret" not in repr(copy.copy(gateway))

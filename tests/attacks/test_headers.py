"""What each answer of each role says beside its body: no software's name, nothing a browser could be misled by."""

import http.client
from collections.abc import Iterator
from email.message import Message

import pytest

from receiver.access.roles import Role
from receiver.admin.console.cookies import SESSION
from tests.admin.api.every_route import ROUTES, Route
from tests.admin.console.every_page import PAGES, Registered
from tests.admin.console.visitor import PASSWORD, Visitor, somebody
from tests.admin.raw import ask, written
from tests.attacks.conftest import GATEWAY, STRANGER, TOKEN, House, LogIn
from tests.callback import raw
from tests.serving import ALIVE

TELLING = ("Server", "X-Powered-By", "Via", "X-AspNet-Version", "X-Runtime")
SAME_EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NOWHERE = [
    "/nowhere", "/static/nowhere.js", "/static/console.css?v=1", "/api", "/api/v1/nowhere", "/", "/login", "/api/docs",
    "/api/problems/invalid", "/healthz", "/favicon.ico", "/metrics", "/.env", "/static/../app.py",
]  # fmt: skip
# What no HTTP parser takes, or no application sees.
UNREADABLE = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"GET /\r\n\r\n",
    b"G@T / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nX y: z\r\n\r\n",
    b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: a\r\n" % number for number in range(200)) + b"\r\n",
    b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
]


def check(headers: Message, of: object) -> None:
    """Raise unless an answer of the admin side has what it must, and nothing that it must not."""
    assert [name for name in TELLING if name in headers] == [], of
    assert {name: headers[name] for name in SAME_EVERYWHERE} == SAME_EVERYWHERE, of
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; "), of
    assert "frame-ancestors 'none'" in policy, of
    assert "base-uri 'none'" in policy, of
    assert "unsafe" not in policy, of
    assert "http" not in policy, of
    assert "Strict-Transport-Security" not in headers, of
    assert "Access-Control-Allow-Origin" not in headers, of
    is_public = headers.get("Cache-Control", "").startswith("public") and not headers.get_all("Set-Cookie")
    assert is_public or headers["Cache-Control"] == "no-store", of
    for cookie in headers.get_all("Set-Cookie", []):
        assert "; HttpOnly" in cookie, of
        assert "; SameSite=Lax" in cookie, of
        assert "; Path=/" in cookie, of
        assert "Domain" not in cookie, of


@pytest.mark.parametrize("registered", PAGES, ids=str)
def test_each_page_for_somebody_and_for_nobody(registered: Registered, house: House, log_in: LogIn) -> None:
    for visitor in (log_in(Role.ADMIN), Visitor(house.admin.port)):
        answer = (
            visitor.get(registered.path) if registered.method == "GET" else visitor.post(registered.path, csrf="wrong")
        )
        check(answer.headers, registered)


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_each_call_with_a_key_and_without(route: Route, house: House) -> None:
    for token in (house.admin.all_powerful.token, None):
        request = written(route.method, route.path(), token, route.body, route.content_type)
        check(ask(house.admin.port, request).headers, route)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "TRACE", "BREW"])
def test_what_is_nowhere_and_what_is_not_taken(method: str, house: House) -> None:
    for path in NOWHERE:
        check(bare(house.admin.port, method, path), (method, path))


def bare(port: int, method: str, path: str) -> Message:
    """The headers of the answer to a request without a body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path)
        return connection.getresponse().headers
    finally:
        connection.close()


@pytest.mark.parametrize("request_", UNREADABLE)
def test_what_can_not_be_read(request_: bytes, house: House) -> None:
    check(ask(house.admin.port, request_).headers, request_)
    for answer in raw.responses(raw.exchange(house.callback.port, request_, may_reset=True)):
        check_number(answer)


def test_every_answer_of_the_callback(house: House) -> None:
    token = b"&token=" + TOKEN.encode()
    for target, number in (
        (b"/recv.asp?src=13900007001&dst=1069&msg=hello" + token, b"0"),
        (b"/recv.asp?src=13900007001&msg=hello" + token, b"-1"),
        (b"/recv.asp?src=13900007001&dst=1069&msg=hello", b"-2"),
        (b"/recv.asp?src=13900007001&dst=1069&msg=" + b"x" * 9_000 + token, b"-3"),
        (b"/nowhere", b"-1"),
        (b"/healthz", ALIVE),
        (b"/readyz", b"ready"),
    ):
        for method in (b"GET", b"HEAD", b"POST", b"OPTIONS", b"BREW"):
            answers = raw.responses(
                raw.exchange(house.callback.port, raw.get(target, GATEWAY).replace(b"GET", method, 1)),
                [method.decode()],
            )
            for answer in answers:
                check_number(answer)
            assert method != b"GET" or [answer.body for answer in answers] == [number]


def check_number(answer: raw.Response) -> None:
    """Raise unless an answer of the callback is plain, not kept by anybody, and says nothing of what gave it."""
    assert [name for name in TELLING if answer.header(name)] == []
    assert answer.header("Content-Type") == ["text/plain"]
    assert answer.header("X-Content-Type-Options") == ["nosniff"]
    assert answer.header("Cache-Control") == ["no-store"]
    assert answer.header("Set-Cookie") == []


def test_behind_tls_cookies_and_browsers_are_held_to_it(house: House) -> None:
    somebody(house.admin.store, Role.VIEWER, "tls")
    for proto, secure in (("https", True), ("http", False)):
        for headers in logging_in(house, proto):
            for cookie in headers.get_all("Set-Cookie", []):
                assert ("; Secure" in cookie) is secure
            told = "max-age=31536000" if secure else None
            assert headers["Strict-Transport-Security"] == told


def test_a_stranger_s_word_for_tls_counts_for_nothing(house: House) -> None:
    # Here the proxy is trusted and says nothing: what came through it is another hop's, or gunicorn's own.
    for name in (
        b"X-Forwarded-Ssl: on",
        b"X-Forwarded-Protocol: ssl",
        b"Forwarded: proto=https",
        b"Front-End-Https: on",
    ):
        answer = ask(house.admin.port, written("GET", "/login", None, None, name, STRANGER))
        check(answer.headers, name)
        assert "; Secure" not in answer.headers["Set-Cookie"]


def logging_in(house: House, proto: str) -> Iterator[Message]:
    """The headers of the login form and of what is answered to it."""
    visitor = Visitor(house.admin.port)
    forwarded = {"X-Forwarded-Proto": proto}
    yield visitor.get("/login", **forwarded).headers
    answer = visitor._ask(
        "POST", "/login", f"csrf={visitor._csrf}&name=tls&password={PASSWORD}".replace(" ", "+"), forwarded
    )
    assert answer.status == 303
    assert SESSION in visitor.cookies
    yield answer.headers


def test_a_header_can_not_move_what_is_asked_for(house: House) -> None:
    for name in (
        b"SCRIPT_NAME: /api/v1",
        b"PATH_INFO: /healthz",
        b"X-Original-URL: /healthz",
        b"X-Rewrite-URL: /healthz",
    ):
        answer = ask(house.admin.port, written("GET", "/api/v1/messages", None, None, name))
        assert answer.status == http.client.UNAUTHORIZED, name

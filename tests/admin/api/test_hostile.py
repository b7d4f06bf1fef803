"""Hostile requests over every route: each is refused with a problem that says why, or harmless; none fails within."""

import json
import secrets
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from receiver.access import Scope
from tests.admin.api.every_route import ROUTES, Route
from tests.admin.client import Answer
from tests.admin.conftest import Admin
from tests.admin.raw import ask, written

pytestmark = pytest.mark.slow  # the whole file: it is begun with

# In every hostile text: what must never be found in the log.
PHONE, SECRET = "13987654321", "秘密的话"
JSON = b"Content-Type: application/json"
GUARDED = [route for route in ROUTES if not route.is_public]
WITH_BODY = [route for route in GUARDED if route.media]
WITH_JSON = [route for route in WITH_BODY if route.media == "application/json"]
WITH_LIST = [route for route in WITH_BODY if route not in WITH_JSON]

TEXTS = [
    f"' OR '1'='1' -- {PHONE}",
    f"'; DROP TABLE messages; -- {SECRET}",
    f'" OR ""="{PHONE}',
    "1; SELECT pg_sleep(10)",
    "%' ESCAPE '\\",
    "%_\\",
    "{{7*7}} ${7*7} %(name)s {0.__class__}",
    f"\r\nSet-Cookie: hostile={PHONE}\r\n\r\n<script>",
    "../../../../etc/passwd",
    f"{SECRET}\u202e\ufeff\u2028\uffff\U0010ffff",
    "\x00",
    f"{PHONE}\x00{SECRET}",
    "-1",
    "9" * 400,
    "1e309",
    "NaN",
    "null",
    "=cmd|' /C calc'!A0",
    PHONE * 20,
]
# As they are in a path or query: bytes that are no UTF-8, or no escapes.
ESCAPED = [
    "%FF%FE",
    "%C3%28",
    "%ED%A0%80",
    "%F4%90%80%80",
    "%C0%80",
    "%00",
    "%",
    "%zz",
    "%u0041",
    "%0d%0aX-Hostile:%20yes",
]
DEEP = 100_000
# For what is refused before any database is asked.
ON_ONE_ENGINE = pytest.mark.parametrize("admin", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def token(admin: Admin) -> str:
    return admin.key(Scope.ADMIN, name="hostile").token


@pytest.fixture(scope="module", autouse=True)
def _nothing_private_in_the_log(admin: Admin, token: str) -> Iterator[None]:
    yield
    log = admin.log
    for private in (PHONE, SECRET, token, token[-10:], "Traceback", "hostile="):
        assert private not in log
    assert "failed" not in log, log


def check(answer: Answer, *statuses: int) -> None:
    """It is a success or a problem that is the client's fault; with ``statuses`` a problem with one of these."""
    assert "X-Hostile" not in answer.headers
    assert "Set-Cookie" not in answer.headers
    if 200 <= answer.status < 300 and not statuses:
        return
    assert 400 <= answer.status < 500, (answer.status, answer.body[:500])
    assert answer.headers.get_content_type() == "application/problem+json", answer
    problem = json.loads(answer.body)
    assert problem["status"] == answer.status
    assert problem["detail"]
    assert not statuses or answer.status in statuses, (answer.status, problem)


@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_hostile_queries(route: Route, admin: Admin, token: str) -> None:
    names = [each["name"] for each in route.parameters if each["in"] == "query"]
    for name in names:
        for value in [*map(quote_all, TEXTS), *ESCAPED, "x" * 9000]:
            check(ask(admin.port, queried(route, token, name, value)))


@ON_ONE_ENGINE
@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_hostile_names_in_queries(route: Route, admin: Admin, token: str) -> None:
    takes_any = any(each["in"] == "query" for each in route.parameters)
    for name in ("unknown", "ids[]", "a%00b", "%FF", *map(quote_all, TEXTS)):
        for value in (quote_all(TEXTS[0]), "%FF%FE", "x" * 9000):
            check(ask(admin.port, queried(route, token, name, value)), *((400, 422) if takes_any else ()))


def queried(route: Route, token: str, name: str, value: str) -> bytes:
    target = f"{route.path()}?{name}={value}".encode()
    return written(route.method, target, token, route.body, route.content_type)


@pytest.mark.parametrize("route", [route for route in GUARDED if "<" in route.rule], ids=str)
def test_hostile_paths(route: Route, admin: Admin, token: str) -> None:
    for parameter in (each["name"] for each in route.parameters if each["in"] == "path"):
        for value in [*map(quote_all, TEXTS), *ESCAPED, "", ".", "..", "/", "%2F", "x" * 3000]:
            target = route.path(**{parameter: value})
            check(ask(admin.port, written(route.method, target.encode(), token, route.body, route.content_type)))


@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_hostile_headers(route: Route, admin: Admin, token: str) -> None:
    names = {each["name"] for each in route.parameters if each["in"] == "header"}
    if admin.server.database_url.startswith("sqlite"):  # no others reach a database: once is enough
        names |= {"Idempotency-Key", "Last-Event-ID", "If-None-Match", "If-Modified-Since", "Range", "Accept",
                  "Accept-Encoding", "X-Forwarded-For", "X-Request-Id", "Cookie", "Origin", "Expect"}  # fmt: skip
    for name in sorted(names):
        for value in (
            b"\xff\xfe",
            PHONE.encode(),
            SECRET.encode(),
            b"'; DROP TABLE messages; --",
            b"\x01",
            b"x" * 7000,
        ):
            header = name.encode() + b": " + value
            check(ask(admin.port, written(route.method, route.path(), token, route.body, route.content_type, header)))


@ON_ONE_ENGINE
@pytest.mark.parametrize("route", WITH_JSON, ids=str)
def test_bodies_that_are_no_json(route: Route, admin: Admin, token: str) -> None:
    for body in (
        b"",
        b"{",
        b"{]",
        sent(route.example) + b"x",
        sent(route.example).decode().encode("utf-16"),
        b"\xef\xbb\xbf" + sent(route.example),
        b'{"a": "\xff\xfe"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\\ud800"}',
        b'{"a": 1e}',
        b"[" * DEEP,
        b"[" * DEEP + b"]" * DEEP,
        b'{"a":' * DEEP + b"1" + b"}" * DEEP,
        b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
    ):
        check(ask(admin.port, written(route.method, route.path(), token, body, JSON)), 400)


@ON_ONE_ENGINE
@pytest.mark.parametrize("route", WITH_JSON, ids=str)
def test_json_that_is_no_such_body(route: Route, admin: Admin, token: str) -> None:
    bodies = [b"null", b"true", b"7", b"[]", b'""', b"NaN", b'[{"a": 1}]', b"9" * 4000, sent(json.dumps(route.example))]
    members = [b"NaN", b"-Infinity", b"9" * 5000, b"1", b"[]", b"{}"]
    bodies += [b'{"a": ' + member + b"}" for member in members]
    for body in [*bodies, b'{"__proto__": {}}', b'{"' + b"k" * 5000 + b'": 1}']:
        check(ask(admin.port, written(route.method, route.path(), token, body, JSON)), 400, 422)


@pytest.mark.parametrize("route", WITH_JSON, ids=str)
def test_hostile_values_in_each_place_of_a_body(route: Route, admin: Admin, token: str) -> None:
    values: list[Any] = [
        *TEXTS,
        None,
        True,
        -1,
        10**30,
        1.5,
        float("nan"),
        [],
        {},
        [[[[]]]],
        {"$ne": 1},
        ["x"] * 20_000,
        "x" * 900_000,
    ]
    for place in places(route.example):
        for value in values:
            body = sent(replaced(route.example, place, value))
            check(ask(admin.port, written(route.method, route.path(), token, body, JSON)))


@ON_ONE_ENGINE
@pytest.mark.parametrize("route", WITH_LIST, ids=str)
def test_lists_that_are_none(route: Route, admin: Admin, token: str) -> None:
    lines = "".join(f"{text}\n" for text in TEXTS).encode()
    required = "&".join(f"{each['name']}=x" for each in route.parameters if each["in"] == "query" and each["required"])
    for media in ("text/csv", "application/x-ndjson"):
        for body in (
            b"",
            b"\n\n",
            b"\x00",
            b"\xff\xfe1\x00",
            b"PK\x03\x04",
            b"\xef\xbb\xbf",
            lines,
            b"phone\n" + lines,
            b"phone,phone\n1,2\n",
            b'"' + PHONE.encode() * 30_000,
            b"[" * DEEP,
            b'{"phone": "\\ud800"}\n{"phone": "' + PHONE.encode() + b'", "reason": "\\u0000"}\n{"phone": 1e999}',
            b'{"a": [' * 5_000,
        ):
            kind = b"Content-Type: " + media.encode()
            check(ask(admin.port, written(route.method, f"{route.path()}?{required}", token, body, kind)), 422)


@ON_ONE_ENGINE
@pytest.mark.parametrize("route", WITH_BODY, ids=str)
@pytest.mark.parametrize(
    "kind",
    [
        b"Content-Type: text/plain",
        b"Content-Type: application/x-www-form-urlencoded",
        b"Content-Type: multipart/form-data; boundary=x",
        b"Content-Type: application/xml",
        b"Content-Type: application/jsonx",
        b"Content-Type: \xff",
        b"Content-Type: " + b"a" * 3000,
        b"X-No-Type: at all",
    ],
)
def test_bodies_of_another_type(kind: bytes, route: Route, admin: Admin, token: str) -> None:
    check(ask(admin.port, written(route.method, route.path(), token, route.body or b"", kind)), 415)


@ON_ONE_ENGINE
@pytest.mark.parametrize("route", WITH_BODY, ids=str)
def test_bodies_of_another_length_than_they_say(route: Route, admin: Admin, token: str) -> None:
    def request(body: bytes, *headers: bytes) -> bytes:
        return written(route.method, route.path(), token, body, route.content_type, *headers, length=False)

    body = route.body or b""
    chunked = b"Transfer-Encoding: chunked"
    # No length, or an empty one: there is no body, which is no JSON, and an empty list. A list may end anywhere.
    unread = () if route in WITH_JSON else (422,)
    check(ask(admin.port, request(body)), 400, *unread)
    for length in (b"-1", b"x", b"1e3", b"0x10", b"", b"9" * 30, b"%d, %d" % (len(body), len(body) + 1)):
        check(ask(admin.port, request(body, b"Content-Length: " + length)), 400, 413, *unread)
    check(ask(admin.port, request(body, b"Content-Length: %d" % (len(body) + 10))), 400)
    shorter = ask(admin.port, request(body, b"Content-Length: %d" % (len(body) - 1)))
    check(shorter, *((400,) if route in WITH_JSON else ()))
    check(ask(admin.port, request(b"zz\r\n" + body, chunked)), 400)
    check(ask(admin.port, request(b"5\r\n{", chunked)), 400)
    check(ask(admin.port, request(body, chunked, b"Content-Length: 5")), 400)
    check(ask(admin.port, request(body, b"Transfer-Encoding: gzip, identity")), 400)


@ON_ONE_ENGINE
@pytest.mark.parametrize("route", WITH_BODY, ids=str)
def test_bodies_that_are_too_large(route: Route, admin: Admin, token: str) -> None:
    body = b'"' + b"x" * 1_000_001 + b'"'
    check(ask(admin.port, written(route.method, route.path(), token, body, route.content_type)), 413)
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (body[:70_000],) * 20) + b"0\r\n\r\n"
    request = written(
        route.method, route.path(), token, chunks, route.content_type, b"Transfer-Encoding: chunked", length=False
    )
    check(ask(admin.port, request), 413)
    # And not even read where nobody asks for it.
    check(ask(admin.port, written(route.method, route.path(), None, body, route.content_type)), 401)


@pytest.mark.parametrize(
    "line",
    [
        b"GET /api/v1/messages?text=\xd6\xd0 HTTP/1.1",
        b"GET /api/v1/messages/\xff HTTP/1.1",
        b"GET /api/v1/messages?text=a b HTTP/1.1",
        b"GET  /api/v1/messages HTTP/1.1",
        b"GET /api/v1/messages HTTP/9.9",
        b"GET /api/v1/messages",
        b"G@T /api/v1/messages HTTP/1.1",
        b"BREW /api/v1/messages HTTP/1.1",
        b"get /api/v1/messages HTTP/1.1",
        b"GET /api/v1/messages?text=" + PHONE.encode() * 800 + b" HTTP/1.1",
        b"GET /api/v1/../v1/messages HTTP/1.1",
        b"GET //api/v1//messages HTTP/1.1",
        b"GET /api/v1/messages%00 HTTP/1.1",
        b"GET /api/v1/messages%2F HTTP/1.1",
        b"GET api/v1/messages HTTP/1.1",
        b"GET * HTTP/1.1",
        b"CONNECT localhost:1 HTTP/1.1",
        b"TRACE /api/v1/messages HTTP/1.1",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        SECRET.encode(),
    ],
)
def test_hostile_request_lines(line: bytes, admin: Admin, token: str) -> None:
    answer = ask(admin.port, line + b"\r\nHost: x\r\nAuthorization: Bearer " + token.encode() + b"\r\n\r\n")
    if b"/api/v1" in line or answer.status == 400:
        check(answer)
    else:
        assert answer.status in (404, 405)


def test_text_that_was_not_escaped_is_told_so(admin: Admin, token: str) -> None:
    answer = ask(admin.port, written("GET", "/api/v1/messages?text=你好".encode(), token))
    check(answer, 400)
    assert "escape what is not ASCII" in answer.json["detail"]


@pytest.mark.parametrize(
    "header",
    [
        b"X: a\x00b",
        b"X: a\r\n folded",
        b"X a: b",
        b"X\xff: b",
        b": b",
        b"X: " + PHONE.encode() * 1000,
        b"\r\n".join(b"X-%d: a" % number for number in range(200)),
        b"Content-Length: 1\r\nContent-Length: 2",
        b"Host: a\r\nHost: b",
    ],
)
def test_hostile_header_lines(header: bytes, admin: Admin, token: str) -> None:
    check(ask(admin.port, written("GET", "/api/v1/messages", token, None, header)))


def test_hostile_tokens(admin: Admin) -> None:
    for token in ("' OR 1=1 --", "rcv_' OR 1=1_", "x" * 7000, SECRET, "rcv_00000000_" + SECRET * 15):
        check(ask(admin.port, written("GET", "/api/v1/messages", token)), 401)
    check(ask(admin.port, written("GET", "/api/v1/messages", None, None, b"Authorization: Bearer \xff\xfe")), 401)
    check(ask(admin.port, written("GET", "/api/v1/messages", None, None, b"Authorization: Digest \xff=\xfe")), 401)


def test_a_client_that_leaves_in_the_middle_harms_nobody(admin: Admin, token: str) -> None:
    for cut in (5, 40, 90):
        request = written("POST", "/api/v1/keys", token, b'{"name": "cut", "scopes": ["admin"]}', JSON)
        check(ask(admin.port, request[:-cut]), 400) if cut < 40 else leave(admin.port, request[:-cut])
    assert admin.all_powerful.get("/keys").status == 200
    assert admin.rows("api_keys", name="cut") == []


def leave(port: int, request: bytes) -> None:
    """Send this much, and go."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request)


def test_the_tables_are_still_there(admin: Admin) -> None:
    marker = secrets.token_hex(4)
    admin.filled.reply(f"src={PHONE}&dst=1069&msg={marker}".encode())
    assert admin.all_powerful.get("/messages", limit=1).ok()["items"][0]["text"] == marker


def sent(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def quote_all(text: str) -> str:
    return quote(text, safe="")


def places(body: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in a body there is a value, innermost last."""
    inner = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in inner:
        yield (*at, key)
        yield from places(value, (*at, key))


def replaced(body: Any, place: tuple[Any, ...], value: Any) -> Any:
    """``body`` with ``value`` at ``place``."""
    if not place:
        return value
    copy = dict(body) if isinstance(body, dict) else list(body)
    copy[place[0]] = replaced(copy[place[0]], place[1:], value)
    return copy

"""Rate limits over HTTP: by key and by address, over several servers on one database, told before they are met."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from receiver.access import Scope
from tests.admin.client import Answer, Api
from tests.admin.conftest import Admin, running


@contextmanager
def limited(url: str, directory: Path, **limits: str) -> Iterator[Admin]:
    env = {f"RECEIVER_{name.upper()}": value for name, value in limits.items()}
    with running(url, directory, env) as started:
        yield started


def told(answer: Answer, policy: str) -> dict[str, int]:
    """What the headers say of one policy: q, w, r and t."""
    said: dict[str, int] = {}
    for name in ("RateLimit-Policy", "RateLimit"):
        (item,) = (each for each in answer.headers[name].split(", ") if each.startswith(f'"{policy}";'))
        said |= {key: int(value) for key, value in re.findall(r";([a-z])=([0-9]+)", item)}
    return said


def test_a_limit_holds_over_several_servers_and_is_used_up(database_url: str, tmp_path: Path) -> None:
    with (
        limited(database_url, tmp_path / "one", rate_limit_key="40/hour") as one,
        limited(database_url, tmp_path / "other", rate_limit_key="40/hour") as other,
    ):
        token = one.key(Scope.MESSAGES_READ).token
        callers = [Api(admin.port, token) for admin in (one, other)] * 40
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda api: api.get("/messages"), callers))
        assert Counter(answer.status for answer in answers) == {200: 40, 429: 40}
        refused = next(answer for answer in answers if answer.status == 429)
        problem = refused.problem(429)
        assert problem["type"] == "/api/problems/rate-limited"
        assert "this key" in problem["detail"]
        said = told(refused, "key")
        assert (said["q"], said["w"], said["r"]) == (40, 3600, 0)
        assert 0 < said["t"] == int(refused.headers["Retry-After"]) <= 3600
        # Another key has its own.
        assert one.api(Scope.MESSAGES_READ).get("/messages").status == 200


def test_every_answer_tells_what_is_left(database_url: str, tmp_path: Path) -> None:
    with limited(database_url, tmp_path, rate_limit_key="10/hour", rate_limit_address="20/minute") as admin:
        api = admin.api(Scope.MESSAGES_READ)
        first, second, forbidden = api.get("/messages"), api.get("/messages"), api.get("/keys")
        assert [told(answer, "key")["r"] for answer in (first, second, forbidden)] == [9, 8, 7]
        assert [told(answer, "address")["r"] for answer in (first, second, forbidden)] == [19, 18, 17]
        assert first.headers["RateLimit-Policy"] == '"address";q=20;w=60, "key";q=10;w=3600'
        assert forbidden.status == 403
        missing = api.get("/nowhere")
        assert (missing.status, told(missing, "address")["r"]) == (404, 16)


def test_an_address_has_a_limit_whatever_keys_it_uses(database_url: str, tmp_path: Path) -> None:
    with limited(database_url, tmp_path, rate_limit_address="3/hour") as admin:
        answers = [admin.api(Scope.MESSAGES_READ).get("/messages") for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        assert "this address" in answers[-1].problem(429)["detail"]
        # What needs no key is counted too; the pages that people read are not.
        admin.api().get("/openapi.json").problem(429)
        assert admin.api().get("/api/docs").status == 200


def test_requests_without_a_valid_key_soon_end_and_shut_no_neighbour_out(database_url: str, tmp_path: Path) -> None:
    with limited(database_url, tmp_path, rate_limit_failures="3/hour") as admin:
        stranger, guesser = admin.api(), Api(admin.port, f"rcv_01234567_{'x' * 43}")
        assert [each.get("/keys").status for each in (stranger, guesser, guesser, guesser)] == [401, 401, 401, 429]
        answer = stranger.get("/messages")
        answer.problem(429)
        assert told(answer, "failures")["q"] == 3
        assert admin.api(Scope.MESSAGES_READ).get("/messages").status == 200


PROXIES = {"trusted_proxies": "127.0.0.0/8"}


@pytest.mark.parametrize(
    ("settings", "statuses"),
    [
        pytest.param(PROXIES, [200, 200, 429], id="believed from a trusted proxy"),
        pytest.param({}, [200, 429, 429], id="and from nobody else"),
    ],
)
def test_a_proxy_speaks_for_others(
    settings: Mapping[str, str], statuses: list[int], database_url: str, tmp_path: Path
) -> None:
    with limited(database_url, tmp_path, rate_limit_address="1/hour", **settings) as admin:
        api = admin.api(Scope.MESSAGES_READ)
        sources = ["198.51.100.7", "2001:db8::1", "2001:db8::2"]  # the last two are one network
        answers = [api.request("GET", "/messages", headers={"X-Forwarded-For": source}) for source in sources]
        assert [answer.status for answer in answers] == statuses


def test_the_audit_names_whom_a_proxy_speaks_for(database_url: str, tmp_path: Path) -> None:
    with limited(database_url, tmp_path, **PROXIES) as admin:
        body = {"name": "far", "scopes": ["sms:send"]}
        headers = {"X-Forwarded-For": "203.0.113.5, 198.51.100.7"}
        admin.all_powerful.request("POST", "/keys", body, headers=headers).ok()
        (act,) = admin.rows("audit", target="far")
        assert act["peer"] == "198.51.100.7"


def test_limits_that_are_off_are_not_told(database_url: str, tmp_path: Path) -> None:
    off = {f"rate_limit_{policy}": "off" for policy in ("key", "address", "failures")}
    with limited(database_url, tmp_path, **off) as admin:
        answer = admin.api(Scope.MESSAGES_READ).get("/messages")
        assert answer.status == 200
        assert not {"RateLimit", "RateLimit-Policy"} & set(answer.headers)


def test_where_requests_can_not_be_counted_they_are_answered_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "receiver-limits.db").mkdir()
    with limited(f"sqlite:///{tmp_path / 'receiver.db'}", tmp_path, rate_limit_key="1/hour") as admin:
        api = admin.api(Scope.MESSAGES_READ)
        assert [api.get("/messages").status for _ in range(3)] == [200] * 3
        assert admin.log.count("requests are not counted now") == 1


def test_a_server_that_is_started_again_goes_on_counting(database_url: str, tmp_path: Path) -> None:
    with limited(database_url, tmp_path, rate_limit_key="10/hour") as admin:
        api = admin.api(Scope.MESSAGES_READ)
        before = told(api.get("/messages"), "key")["r"]
        admin.server.restart()
        assert told(replace(api, port=admin.port).get("/messages"), "key")["r"] == before - 1

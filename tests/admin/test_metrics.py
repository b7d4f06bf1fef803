"""``/metrics`` of the admin role: for keys of one scope, behind the same gate as the API."""

import pytest

from receiver.access import Scope
from receiver.access.scopes import allows
from tests.admin.client import Answer
from tests.admin.conftest import Admin
from tests.admin.raw import ask, written
from tests.metrics.reading import values


def metrics(admin: Admin, token: str | None, method: str = "GET") -> Answer:
    return ask(admin.port, written(method, "/metrics", token))


@pytest.mark.parametrize("scope", Scope)
def test_only_keys_that_may_read_them_do(scope: Scope, admin: Admin) -> None:
    answer = metrics(admin, admin.key(scope).token)
    if allows([scope], Scope.METRICS_READ):
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
    else:
        assert "metrics:read" in answer.problem(403)["detail"]


def test_without_a_key_nobody_does(admin: Admin) -> None:
    metrics(admin, None).problem(401)
    metrics(admin, "rcv_00000000_wrong").problem(401)
    metrics(admin, admin.key(Scope.METRICS_READ).token, "POST").problem(405)


def test_they_tell_of_the_database_and_of_what_was_answered(admin: Admin) -> None:
    admin.filled.reply(b"src=13900000001&dst=1069&msg=0000")
    token = admin.key(Scope.METRICS_READ).token
    before = values(metrics(admin, token).body)
    metrics(admin, None)
    after = values(metrics(admin, token).body)
    refused = "receiver_admin_responses_total{part=api,status=4xx}"
    assert after[refused] == before[refused] + 1
    assert after["receiver_database_up"] == 1
    assert after["receiver_optouts"] >= 1
    assert after["receiver_database_connections_in_use"] <= after["receiver_database_connections"]

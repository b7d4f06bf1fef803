"""What fails within: a problem that says what to do, and a line in the log that says where, under the same id."""

import json
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from receiver import create_admin_app
from receiver.access import Keys, Scope
from receiver.config import Settings
from receiver.store import messages
from receiver.store.store import Store
from tests.admin.conftest import running
from tests.postgres import Postgres


def test_a_database_that_is_gone_is_told_and_comes_back(postgres: Postgres, tmp_path: Path) -> None:
    postgres.start()
    with running(postgres.create_database(), tmp_path) as admin:
        api = admin.api(Scope.MESSAGES_READ)
        api.get("/messages").ok()
        postgres.stop("immediate")
        answer = api.get("/messages")
        problem = answer.problem(503)
        assert problem["type"] == "/api/problems/unavailable"
        assert int(answer.headers["Retry-After"]) > 0
        (line,) = (line for line in map(json.loads, admin.log.splitlines()) if "can't be used" in line["event"])
        assert line["request_id"] == problem["request_id"]
        assert admin.api().get("/api/docs").status == 200
        postgres.start()
        api.get("/messages").ok()


@pytest.fixture
def client(sqlite_url: str) -> FlaskClient:
    store = Store(sqlite_url, pooled=False)
    token = Keys(store).create("test", [Scope.ADMIN], actor="tests").token
    client = create_admin_app(Settings(database_url=sqlite_url)).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def test_a_fault_of_ours_is_told_without_its_words(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("13987654321 said 秘密")

    monkeypatch.setattr(messages, "page", fail)
    answer = client.get("/api/v1/messages?text=秘密")
    assert (answer.status_code, answer.content_type) == (500, "application/problem+json")
    problem = answer.get_json()
    assert problem["type"] == "/api/problems/internal"
    (record,) = (record for record in caplog.records if record.levelname == "ERROR")
    assert record.getMessage().startswith("a request failed: KeyError in receiver/admin/api/")
    assert "13987654321" not in answer.get_data(as_text=True) + caplog.text
    assert "秘密" not in answer.get_data(as_text=True) + caplog.text


def test_each_request_has_an_id_of_its_own(client: FlaskClient) -> None:
    ids = {client.get("/api/v1/keys").headers["X-Request-Id"] for _ in range(20)}
    assert len(ids) == 20


def test_every_answer_is_hardened(client: FlaskClient) -> None:
    for path in ("/api/v1/keys", "/api/v1/nothing", "/api/docs", "/api/problems/invalid", "/api/v1/openapi.json"):
        headers = client.get(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"

"""Schemathesis against the running API, with all its checks: what the document says is what the server does."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from receiver import create_admin_app
from receiver.access import Scope
from receiver.config import Settings
from tests.admin.conftest import Admin

# Values of the formats that no schema can describe.
schemathesis.openapi.format("phone", st.integers(13_000_000_000, 19_999_999_999).map(str))
schemathesis.openapi.format("cursor", st.just("WyJvbGRlciIsICIwMTk3YjdhMi03YjdhLTdiN2EtOGI3YS03YjdhN2I3YTdiN2EiXQ"))

# What no schema can tell may be refused too: then the problem says so.
REFUSALS = {"/api/problems/refused", "/api/problems/idempotency-key-reused"}

_app = create_admin_app(Settings(database_url="sqlite:////nowhere/receiver.db"))
schema = schemathesis.openapi.from_dict(_app.test_client().get("/api/v1/openapi.json").get_json())
schema.config.generation.update(max_examples=25)
schema.config.checks.positive_data_acceptance.expected_statuses.append("422")


def what_the_schema_allows_is_refused_only_by_rules_of_the_field(_: Any, response: Any, case: Any) -> None:
    if case.meta is not None and case.meta.generation.mode.is_positive and response.status_code == 422:
        assert response.json()["type"] in REFUSALS, response.json()["detail"]


WALKS = settings(max_examples=20, stateful_step_count=8, deadline=None, suppress_health_check=list(HealthCheck))
CHECKS = [what_the_schema_allows_is_refused_only_by_rules_of_the_field]


@dataclass(frozen=True)
class Caller:
    """Calls the server with a key that it takes care not to revoke."""

    base_url: str
    session: requests.Session
    key_id: str

    def options(self, case: Any) -> dict[str, Any]:
        if case.path_parameters and str(case.path_parameters.get("id")) == self.key_id:
            case.path_parameters["id"] = str(uuid4())
        return {"base_url": self.base_url, "session": self.session}


@pytest.fixture(scope="module")
def caller(admin: Admin) -> Iterator[Caller]:
    for number in range(30):
        admin.filled.reply(f"src=139{number:08}&dst=1069&msg=hello {number}".encode())
    admin.filled.reply(b"src=13900000001&dst=1069&msg=0000")
    made = admin.key(Scope.ADMIN, name="schemathesis")
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {made.token}"
        yield Caller(f"http://127.0.0.1:{admin.port}", session, str(made.key.id))
    assert admin.keys.get(made.key.id).revoked_at is None, "without a key nothing that followed was tested"


@schema.parametrize()
def test_the_server_does_what_the_document_says(case: Any, caller: Caller) -> None:
    case.call_and_validate(**caller.options(case), additional_checks=CHECKS)


def test_what_is_made_is_there_until_it_is_ended(caller: Caller) -> None:
    links_followed = 0

    class Walk(schema.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return caller.options(case)

        def step(self, input: Any) -> Any:
            nonlocal links_followed
            links_followed += input.transition is not None
            return super().step(input)

        def validate_response(self, response: Any, case: Any, **options: Any) -> None:
            super().validate_response(response, case, additional_checks=CHECKS, **options)

    Walk.run(settings=WALKS)
    assert links_followed > 0

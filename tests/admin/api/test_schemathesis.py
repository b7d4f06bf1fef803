"""Schemathesis against the running API, with all its checks: what the document says is what the server does."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4
from zlib import crc32

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings

from receiver import create_admin_app
from receiver.access import Scope
from receiver.config import Settings
from tests.admin.conftest import Admin, database, running
from tests.properties import tried

pytestmark = pytest.mark.slow  # the whole file: it is begun with

# What no schema can tell may be refused too: by the field's own rules, or since one of these is none that is known.
REFUSALS = {"/api/problems/refused", "/api/problems/idempotency-key-reused"}
RULED = {"actor", "after", "cursor", "Last-Event-ID", "since", "until", "zone"}


@schemathesis.serializer("text/csv", "application/x-ndjson")
def list_as_it_is(_: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


_app = create_admin_app(Settings(database_url="sqlite:////nowhere/receiver.db"))
schema = schemathesis.openapi.from_dict(_app.test_client().get("/api/v1/openapi.json").get_json())
schema.config.generation.update(max_examples=tried(10))
schema.config.checks.positive_data_acceptance.expected_statuses.append("422")
schema.config.checks.negative_data_rejection.expected_statuses.append("413")


@schemathesis.hook
def filter_case(_: Any, case: Any) -> bool:
    """Leave out what is wrong by a parameter that requests leave out: an empty list, or nothing, is not on the wire."""
    if case.meta is None or case.meta.generation.mode.is_positive:
        return True
    asked = requests.Request("GET", "http://127.0.0.1/", params=case.query).prepare()
    sent = {name.partition("[")[0] for name, _ in parse_qsl(urlsplit(str(asked.url)).query, keep_blank_values=True)}
    return {str(name).partition("[")[0] for name in case.query or {}} <= sent


def what_the_schema_allows_is_refused_only_by_rules_of_the_field(_: Any, response: Any, case: Any) -> None:
    if case.meta is not None and case.meta.generation.mode.is_positive and response.status_code == 422:
        problem = response.json()
        fields = {error["field"] for error in problem.get("errors", ())}
        assert problem["type"] in REFUSALS or (fields and fields <= RULED), problem["detail"]


WALKS = tried(12)
# Each by itself, besides the one of the simplest steps, where Hypothesis begins. Whether a step takes what a link
# offers is decided by chance of which Hypothesis does not know: repeating the beginning of a walk it meets other
# choices than before, and gives up. For the same reason there is nothing to shrink.
WALK = settings(
    max_examples=2,
    stateful_step_count=8,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
CHECKS = [what_the_schema_allows_is_refused_only_by_rules_of_the_field]


@dataclass(frozen=True)
class Caller:
    """Calls the server with a key that it takes care not to revoke."""

    base_url: str
    session: requests.Session
    key_id: str

    def options(self, case: Any) -> dict[str, Any]:
        named = case.path_parameters or {}
        if str(named.get("id")) == self.key_id:
            named["id"] = str(uuid4())
        if case.meta is not None and case.meta.generation.mode.is_positive:
            if "phone" in named:  # of the texts that the schema allows few are phones
                named["phone"] = f"139{crc32(str(named['phone']).encode()) % 10**8:08}"
            if case.operation.path.endswith("/stream"):  # it ends by itself
                case.query = {**(case.query or {}), "until": "2020-01-01T00:00:00Z"}
        return {"base_url": self.base_url, "session": self.session}


@pytest.fixture(scope="module")
def caller(
    server_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory, gateway_settings: Mapping[str, str]
) -> Iterator[Caller]:
    """One on PostgreSQL, which takes more for wrong than SQLite does."""
    directory = tmp_path_factory.mktemp("schemathesis")
    with database("postgresql", server_url, directory) as url, running(url, directory, gateway_settings) as admin:
        yield from calling(admin)


def calling(admin: Admin) -> Iterator[Caller]:
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
    failures: list[Exception] = []

    class Walk(schema.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return caller.options(case)

        def step(self, input: Any) -> Any:
            nonlocal links_followed
            links_followed += input.transition is not None
            return super().step(input)

        def validate_response(self, response: Any, case: Any, **options: Any) -> None:
            try:
                super().validate_response(response, case, additional_checks=CHECKS, **options)
            except Exception as failure:
                failures.append(failure)
                raise

    for _ in range(WALKS):
        try:
            Walk.run(settings=WALK)
        except Exception:
            if failures:  # what was found, and not that it could not be found a second time
                raise failures[0] from None
            raise
    assert links_followed > 0

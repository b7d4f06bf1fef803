"""The OpenAPI document: valid, whole, with examples that its own schemas accept, and true about what is registered."""

import re
from collections import Counter
from collections.abc import Iterator
from html import unescape
from typing import Any

import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from receiver import create_admin_app
from receiver.admin.api.examples import MISSING
from receiver.admin.api.problems import KINDS, MEDIA_TYPE, TYPES_AT
from receiver.admin.api.routes import PREFIX
from receiver.config import Settings
from tests.admin.client import V1

Document = dict[str, Any]
# What any route may answer besides what it is for.
USUAL = {"400", "401", "403", "422", "429", "500", "503"}
# What is opened by people, in an answer that has another form with an example.
DOCUMENTS = {
    "text/html",
    "application/pdf",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_PARAMETER = re.compile(r"<(?:[^:>]+:)?([^>]+)>")
COUNTED = {"RateLimit", "RateLimit-Policy", "X-Request-Id"}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Document:
    path = tmp_path_factory.mktemp("document") / "receiver.db"
    app = create_admin_app(Settings(database_url=f"sqlite:///{path}"))
    answer = app.test_client().get(f"{V1}/openapi.json")
    assert answer.status_code == 200
    found: Document = answer.get_json()
    return found


def operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def test_it_is_valid_openapi_3_1(document: Document) -> None:
    assert document["openapi"].startswith("3.1.")
    errors = [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in validator_errors(document)]
    assert errors == []


def validator_errors(document: Document) -> Iterator[Any]:
    yield from OpenAPIV31SpecValidator(document).iter_errors()


def test_every_operation_says_what_it_is(document: Document) -> None:
    tags = {tag["name"] for tag in document["tags"] if tag["description"]}
    for name, operation in operations(document):
        assert operation["summary"], name
        assert not operation["summary"].endswith("."), name
        assert operation["description"], name
        assert operation["tags"], name
        assert set(operation["tags"]) <= tags, name
        assert operation["security"] == [{"key": []}], name
        assert f"`{operation['x-scope']}`" in operation["description"], name


def test_operations_have_each_a_name_of_their_own(document: Document) -> None:
    names = Counter(operation["operationId"] for _, operation in operations(document))
    assert [name for name, times in names.items() if times > 1] == []
    assert all(re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", name) for name in names)


def test_every_operation_tells_all_that_it_may_answer(document: Document) -> None:
    for name, operation in operations(document):
        answers = operation["responses"]
        assert set(answers) >= USUAL, name
        assert [status for status in answers if status.startswith("2")], name
        if "requestBody" in operation:
            assert set(answers) >= {"413", "415"}, name
        for status, answer in answers.items():
            assert answer["description"], (name, status)
            assert set(answer["headers"]) >= COUNTED, (name, status)
            if status >= "4":
                assert list(answer["content"]) == [MEDIA_TYPE], (name, status)
        assert "Retry-After" in answers["429"]["headers"]
        assert "Retry-After" in answers["503"]["headers"]
        assert "WWW-Authenticate" in answers["401"]["headers"]


def test_every_body_has_an_example_that_its_schema_accepts(document: Document) -> None:
    seen = 0
    for name, operation in operations(document):
        successes = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
        assert any(has_example(media) for answer in successes for media in answer.get("content", {}).values()) or all(
            "content" not in answer for answer in successes
        ), name
        bodies = [*operation["responses"].values(), *filter(None, [operation.get("requestBody")])]
        for media_type, media in ((kind, each) for body in bodies for kind, each in body.get("content", {}).items()):
            assert has_example(media) or media_type in DOCUMENTS, (name, media_type)
            for value in examples_of(media):
                assert MISSING not in str(value), (name, value)
                if "json" in media_type and "schema" in media:
                    accept(document, media["schema"], value, name)
                    seen += 1
    assert seen > 50


def test_every_parameter_is_explained_and_its_example_is_accepted(document: Document) -> None:
    for name, operation in operations(document):
        for parameter in operation.get("parameters", []):
            schema = parameter["schema"]
            assert "type" in schema or "$ref" in schema or "anyOf" in schema, (name, parameter["name"])
            if "example" in parameter:
                accept(document, schema, parameter["example"], f"{name} {parameter['name']}")
            if parameter["required"]:
                assert MISSING not in str(parameter["example"]), (name, parameter["name"])
            named = parameter["name"] in ("id", "limit", "cursor")
            assert named or "description" in parameter or "$ref" in schema, (name, parameter["name"])


def has_example(media: Document) -> bool:
    return "example" in media or bool(media.get("examples"))


def examples_of(media: Document) -> list[Any]:
    named = [each["value"] for each in media.get("examples", {}).values()]
    return [media["example"]] if "example" in media else named


def accept(document: Document, schema: Document, value: Any, where: str) -> None:
    whole = {**schema, "components": document["components"]}
    found = [error.message for error in jsonschema_rs.Draft202012Validator(whole).iter_errors(value)]
    assert not found, (where, found)


def test_what_the_validation_of_examples_is_worth(document: Document) -> None:
    schema = {"$ref": "#/components/schemas/Message"}
    with pytest.raises(AssertionError, match="received_at"):
        accept(document, schema, {"id": "0197b7a2-7b7a-7b7a-8b7a-7b7a7b7a7b7a"}, "here")


def test_objects_that_are_sent_are_closed_and_no_schema_is_left_over(document: Document) -> None:
    schemas = document["components"]["schemas"]
    for name, operation in operations(document):
        if body := operation.get("requestBody"):
            if "application/json" not in body["content"]:
                continue
            (reference,) = (media["schema"]["$ref"] for media in body["content"].values())
            assert schemas[reference.rpartition("/")[2]]["additionalProperties"] is False, name
    referred = set(re.findall(r"#/components/schemas/([\w.-]+)", str(document)))
    assert referred == set(schemas)
    assert all(name.isalnum() for name in schemas), "names that a generated client can show"


def test_the_document_has_every_route_and_no_other(document: Document, tmp_path: Any) -> None:
    app = create_admin_app(Settings(database_url=f"sqlite:///{tmp_path / 'receiver.db'}"))
    routes = {
        f"{method} {_PARAMETER.sub(lambda found: f'{{{found[1]}}}', rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(f"{PREFIX}/")
    }
    assert {name for name, _ in operations(document)} == routes - {f"GET {PREFIX}/openapi.json"}


def test_every_kind_of_problem_has_its_page_and_names_are_unique(tmp_path: Any) -> None:
    app = create_admin_app(Settings(database_url=f"sqlite:///{tmp_path / 'receiver.db'}"))
    client = app.test_client()
    for kind in KINDS:
        page = client.get(TYPES_AT + kind.name)
        assert page.status_code == 200
        assert kind.advice.split(":")[0] in unescape(page.get_data(as_text=True))
    assert client.get(f"{TYPES_AT}nothing").status_code == 404
    assert len({kind.name for kind in KINDS}) == len(KINDS)

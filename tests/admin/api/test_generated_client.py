"""A stranger's program: a client that a tool made from our document, used as one would who knows nothing else."""

import importlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from receiver.access import Scope
from tests.admin.conftest import Admin

NAME = "strangers_client"
LISTS = ("text/csv", "application/x-ndjson")
Load = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def load(admin: Admin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Load]:
    """Imports modules of the client, which is made from what the server says of itself."""
    directory = tmp_path_factory.mktemp("client")
    document = directory / "openapi.json"
    document.write_bytes(admin.api().get("/openapi.json").body)
    # The tool knows few types of bodies, and lets its user say that others are bytes.
    config = directory / "config.json"
    config.write_text(json.dumps({"content_type_overrides": dict.fromkeys(LISTS, "application/octet-stream")}))
    options: list[str | Path] = ["--path", document, "--output-path", directory / NAME, "--config", config]
    made = subprocess.run(
        ["openapi-python-client", "generate", "--meta=none", *options],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert "warning" not in (made.stdout + made.stderr).lower(), made.stdout + made.stderr
    sys.path.insert(0, str(directory))
    try:
        yield lambda name: importlib.import_module(f"{NAME}.{name}")
    finally:
        sys.path.remove(str(directory))
        for module in [module for module in sys.modules if module.partition(".")[0] == NAME]:
            del sys.modules[module]


@pytest.fixture
def client(load: Load, admin: Admin) -> Iterator[Any]:
    with opened(load, admin, Scope.MESSAGES_READ, Scope.OPTOUTS_READ, Scope.OPTOUTS_WRITE, Scope.SMS_SEND) as client:
        yield client


def opened(load: Load, admin: Admin, *scopes: Scope) -> Any:
    key = admin.key(*scopes, name="stranger")
    return load("client").AuthenticatedClient(base_url=f"http://127.0.0.1:{admin.port}", token=key.token)


def test_it_has_a_function_for_every_operation(load: Load) -> None:
    root = Path(load("client").__file__ or "").parent
    made = {path.stem for path in root.glob("api/*/*.py")} - {"__init__"}
    document = json.loads((root.parent / "openapi.json").read_text())
    assert made == {operation["operationId"] for item in document["paths"].values() for operation in item.values()}


def test_it_reads_messages_page_by_page(load: Load, client: Any, admin: Admin) -> None:
    list_messages, kinds = load("api.messages.list_messages"), load("models.kind")
    before = datetime.now(UTC) - timedelta(seconds=1)
    for number in range(7):
        admin.filled.reply(f"src=139000000{number:02}&dst=10690077&msg=第{number}条".encode())
    admin.filled.reply(b"src=13900000010&dst=10690077&msg=0000")
    seen, cursor = [], load("types").UNSET
    while True:
        page = list_messages.sync(client=client, dst="10690077", since=before, limit=3, cursor=cursor)
        seen += page.items
        if page.next_ is None:
            break
        cursor = page.next_
    assert [message.text for message in seen] == ["0000", *(f"第{number}条" for number in reversed(range(7)))]
    assert seen[0].kind is kinds.Kind.UNSUBSCRIBE
    assert seen[1].src == "+8613900000006"
    assert before < seen[0].received_at < datetime.now(UTC)
    one = load("api.messages.get_message").sync(seen[0].id, client=client)
    assert one == seen[0]


def test_it_opts_a_phone_out_asks_and_lifts(load: Load, client: Any) -> None:
    models = load("models")
    added = load("api.opt_outs.add_optout").sync_detailed(
        "139 0000 7701", client=client, body=models.Wish(reason="by phone")
    )
    assert (added.status_code, added.parsed.phone) == (201, "+8613900007701")
    asked = models.Asked(phones=["13900007701", "+86 139-0000-7702", "12"])
    answer = load("api.checks.check_phones").sync(client=client, body=asked)
    assert [each.identity for each in answer.blocked] == ["+8613900007701"]
    assert [each.identity for each in answer.allowed] == ["+8613900007702"]
    assert answer.invalid == ["12"]
    lifted = load("api.opt_outs.lift_optout").sync_detailed("13900007701", client=client, reason="signed a new form")
    assert lifted.status_code == 204
    history = load("api.opt_outs.get_subscriber").sync("13900007701", client=client)
    assert not history.opted_out
    assert len(history.events) == 2


def test_a_problem_is_a_value_that_says_what_to_do(load: Load, client: Any, admin: Admin) -> None:
    problem = load("api.messages.list_messages").sync(client=client, limit=501)
    assert (problem.status, problem.type_) == (422, "/api/problems/invalid")
    assert [error.field for error in problem.errors] == ["limit"]
    with opened(load, admin, Scope.SMS_SEND) as other:
        answer = load("api.messages.list_messages").sync_detailed(client=other)
        assert (answer.status_code, answer.parsed.type_) == (403, "/api/problems/forbidden")
        assert answer.headers["RateLimit"]


def test_it_exports(load: Load, client: Any, admin: Admin) -> None:
    admin.filled.reply("src=13900000020&dst=10690078&msg=导出".encode())
    formats = load("models.export_messages_format").ExportMessagesFormat
    answer = load("api.exports.export_messages").sync_detailed(client=client, dst="10690078", format_=formats.JSONL)
    assert answer.status_code == 200
    assert [json.loads(line)["text"] for line in answer.content.splitlines()] == ["导出"]


def test_it_imports_a_list(load: Load, client: Any) -> None:
    # Of two types that are bytes to it, the tool's client sends the last.
    listed = load("types").File(payload=io.BytesIO(b'{"phone": "13955550001"}\n'))
    import_optouts = load("api.opt_out_lists.import_optouts")
    done = import_optouts.sync(client=client, body=listed, reason="by letter")
    assert (done.rows, done.new, done.bad) == (1, 1, [])

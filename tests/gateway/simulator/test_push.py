"""``receiver simulate push``, against a real server."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from receiver.store.store import Store
from receiver.store.tables import messages, optouts
from tests.processes import run
from tests.serving import Server, free_port

TOKEN = "a-token-of-tests"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("push")
    with Server(f"sqlite:///{directory / 'receiver.db'}", directory, {"RECEIVER_CALLBACK_TOKEN": TOKEN}) as server:
        yield server


def push(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it beside the server, with its settings."""
    return run("receiver", "simulate", "push", *arguments, cwd=server.directory, env=server.env, text=True)


def stored(server: Server, dst: str) -> list[Any]:
    store = Store(server.database_url, pooled=False)
    with store.reading() as connection:
        rows = connection.execute(select(messages).where(messages.c.dst == dst).order_by(messages.c.id)).all()
    store.close()
    return list(rows)


def test_push_alone_pushes_a_reply_to_this_installation(server: Server) -> None:
    done = push(server, "--format", "table")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "0  durably stored; an unsubscribe is in force too\n"
    assert [(row.src, row.text) for row in stored(server, "10690000")] == [("+8615400000000", "收到，谢谢")]


@pytest.mark.parametrize("post", [[], ["--post"]], ids=["get", "post"])
@pytest.mark.parametrize("charset", ["utf-8", "gbk", "gb18030", "raw-gbk", "raw-utf-8", "escape"])
def test_a_text_is_stored_as_it_was_given_in_every_charset(server: Server, charset: str, post: list[str]) -> None:
    dst = f"1069{charset}{len(post)}"
    done = push(server, "--charset", charset, "--dst", dst, "--src", "15400000001", "--msg", "退订 100% 吗？a&b", *post)
    assert done.returncode == 0, done
    assert [(row.src, row.text) for row in stored(server, dst)] == [("+8615400000001", "退订 100% 吗？a&b")]


def test_0000_opts_out(server: Server) -> None:
    assert push(server, "--src", "15400000002", "--msg", "０００0", "--charset", "gbk").returncode == 0
    store = Store(server.database_url, pooled=False)
    with store.reading() as connection:
        assert "+8615400000002" in connection.scalars(select(optouts.c.phone)).all()
    store.close()


def test_many_pushes_are_counted_by_answer_and_come_from_many_phones(server: Server) -> None:
    done = push(server, "--count", "60", "--concurrency", "4", "--random-src", "--dst", "1069060")
    result = json.loads(done.stdout)
    assert (done.returncode, result["pushed"], result["answers"]) == (0, 60, {"0": 60})
    assert 0 < result["p50_ms"] <= result["p99_ms"]
    rows = stored(server, "1069060")
    assert len(rows) == 60
    assert len({row.src for row in rows}) > 50


def test_a_table_shows_each_answer_with_its_meaning(server: Server) -> None:
    done = push(server, "--count", "3", "--src", "", "--format", "table")
    assert done.returncode == 1
    assert any(line.split()[:2] == ["-1", "3"] and "quarantine" in line for line in done.stdout.splitlines())


def test_another_answer_is_exit_status_1_and_our_token_goes_to_nobody_else(server: Server) -> None:
    refused = push(server, "--url", server.url)
    assert (refused.returncode, json.loads(refused.stdout)["answers"]) == (1, {"-2": 1})
    assert push(server, "--url", server.url, "--token", TOKEN).returncode == 0
    elsewhere = push(server, "--url", f"{server.base}/nothing")
    assert (elsewhere.returncode, json.loads(elsewhere.stdout)["answers"]) == (1, {"HTTP 404: '-1'": 1})


def test_no_server_is_exit_status_3_with_what_to_do(server: Server) -> None:
    done = push(server, "--url", f"http://127.0.0.1:{free_port()}/recv.asp", "--count", "1000")
    assert done.returncode == 3
    assert json.loads(done.stdout)["answers"] == {"unreachable: connection refused": 1}
    assert "receiver serve" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--url", "http://192.0.2.1/recv.asp"], "--allow-remote"),
        (["--charset", "gbk", "--msg", "😀"], "gbk has no '😀'"),
        (["--src", "1", "--random-src"], "exclude each other"),
    ],
)
def test_wrong_usage_is_exit_status_2_with_what_to_do(server: Server, arguments: list[str], said: str) -> None:
    done = push(server, *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_rate_is_kept(server: Server) -> None:
    done = push(server, "--count", "11", "--rate", "20", "--concurrency", "4")
    assert done.returncode == 0
    assert 0.5 <= json.loads(done.stdout)["seconds"] < 3

"""Each role tells what it counts, where monitoring alone reaches it; docs/metrics.md tells of all that there is."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from receiver import tally
from receiver.callback.answer import Answer
from receiver.metrics import database, family, machine, pulled, reachable, scrape
from receiver.metrics.listener import listening
from tests.callback.raw import ask, get
from tests.metrics.reading import Told, documented, scraped, values
from tests.processes import Process
from tests.serving import Server, free_port
from tests.worker.test_processes import eventually


@contextlib.contextmanager
def worker(folder: Path, env: dict[str, str]) -> Iterator[Process]:
    """A worker role with these settings, until the block ends."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RECEIVER_")}
    with (
        (folder / "worker.log").open("ab") as log,
        Process(
            "receiver", "worker", cwd=folder, env={**clean, **env}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        ) as process,
    ):
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def declared() -> list[Told]:
    """All that the code may tell, whichever role."""
    assert {database, machine, pulled, reachable, scrape}, "imported, so that what they declare is there"
    counted = [Told(m.name, m.kind, m.labels, tuple(m.roles), m.says) for m in tally.measures]
    found = [Told(f.name, f.kind, f.labels, tuple(f.roles), f.says) for f in family.families]
    return counted + found


def test_the_document_tells_of_every_metric_as_the_code_has_it() -> None:
    assert sorted(documented()) == sorted(declared())
    assert len({each.name for each in declared()}) == len(declared())


def test_names_follow_the_conventions() -> None:
    for told in declared():
        assert told.name.startswith("receiver_"), told
        assert told.name.endswith("_total") is (told.kind == "counter"), told
        assert not told.says.endswith("."), told


def test_two_processes_of_the_callback_are_told_of_as_one_and_one_that_is_killed_forgets_nothing(
    postgresql_url: str, tmp_path: Path
) -> None:
    port = free_port()
    env = {"RECEIVER_CALLBACK_PROCESSES": "2", "RECEIVER_CALLBACK_METRICS_BIND": f"127.0.0.1:{port}"}
    with Server(postgresql_url, tmp_path, env, migrate=False) as server:

        def push(number: int) -> None:
            for each in range(20):
                query = b"src=139000%05d&dst=1069&msg=hello" % (100 * number + each)
                assert ask(server.port, get(b"/recv.asp?" + query)).body == b"0"

        pushing = [threading.Thread(target=push, args=(number,)) for number in range(4)]
        for thread in pushing:
            thread.start()
        for thread in pushing:
            thread.join()
        before = values(scraped(port)[2])
        assert before["receiver_answers_total{answer=0}"] == 80
        assert before["receiver_replies_total{charset=certain,kind=reply,origin=push}"] == 80
        assert before["receiver_commit_items_sum{into=database}"] == 80
        assert before["receiver_waiting{into=database}"] == 0
        assert before["receiver_processes_started_total"] == 2
        server.kill9_workers()
        eventually_started(port, 4)
        assert ask(server.port, get(b"/recv.asp?src=13900000001&dst=1069")).body == b"-1"
        after = values(scraped(port)[2])
        assert (after["receiver_answers_total{answer=0}"], after["receiver_answers_total{answer=-1}"]) == (80, 1)
        assert after["receiver_quarantined_total{reason=missing-msg}"] == 1
        assert after["receiver_database_up"] == 1


def eventually_started(port: int, processes: int) -> None:
    while values(scraped(port)[2])["receiver_processes_started_total"] < processes:
        pass


def test_nothing_but_metrics_is_there_and_none_is_where_the_gateway_calls(sqlite_url: str, tmp_path: Path) -> None:
    told, of_worker = free_port(), free_port()
    env = {"RECEIVER_CALLBACK_METRICS_BIND": f"127.0.0.1:{told}"}
    with Server(sqlite_url, tmp_path, env, migrate=False) as callback:
        status, headers, body = scraped(told)
        assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert headers["Server"] is None
        assert values(body)["receiver_spooling"] == 0
        for method, path in (("GET", "/"), ("GET", "/recv.asp?src=1&dst=2"), ("POST", "/metrics"), ("BREW", "/x")):
            status, headers, body = scraped(told, path, method)
            assert (status in (404, 501), headers["Server"], body) == (True, None, b"/metrics is all that there is\n")
        assert scraped(callback.port)[2] == Answer.UNUSABLE.body
        settings = {**callback.env, "RECEIVER_WORKER_METRICS_BIND": f"127.0.0.1:{of_worker}"}
        with worker(tmp_path, settings):

            def answers() -> bool:
                with contextlib.suppress(OSError):
                    return scraped(of_worker)[0] == 200
                return False

            eventually(answers, tmp_path)
            of_it = values(scraped(of_worker)[2])
            assert (of_it["receiver_database_up"], of_it["receiver_processes_started_total"]) == (1, 1)
            assert of_it["receiver_gateway_refusals_total{code=6003}"] == 0


def test_who_asks_slowly_keeps_nobody_else_from_asking(sqlite_url: str, tmp_path: Path) -> None:
    told = free_port()
    env = {"RECEIVER_CALLBACK_METRICS_BIND": f"127.0.0.1:{told}"}
    with (
        Server(sqlite_url, tmp_path, env, migrate=False) as callback,
        socket.create_connection(("127.0.0.1", told)) as slow,
    ):
        slow.sendall(b"GET /met")
        assert ask(callback.port, get(b"/recv.asp?src=13900000001&dst=1069&msg=a")).body == b"0"
        assert scraped(told)[0] == 200


def test_a_port_that_is_taken_is_said_and_no_reason_not_to_receive(sqlite_url: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        assert listening(bind) is None
        env = {"RECEIVER_CALLBACK_METRICS_BIND": bind}
        with Server(sqlite_url, tmp_path, env, migrate=False) as callback:
            assert ask(callback.port, get(b"/recv.asp?src=13900000001&dst=1069&msg=a")).body == b"0"
            assert f"metrics can't be told at {bind}: Address already in use" in callback.log

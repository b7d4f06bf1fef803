"""What ``make bench`` makes of its measurements: no timing is judged here, no receiver started."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from rich.console import Console
from sqlalchemy import select

from bench import report
from bench.baselines import orm
from bench.contenders import ALL, ASYNCPG, EMPTY, ORM, OURS, Contender, Database
from bench.load import LARGEST_RUN, PHONES, STEP, TEXTS, Load, LoadFailed, query_ends, read
from bench.machine import filesystem, fsync_ms
from bench.results import Row, Sample, budget, rows
from receiver.store.store import Store
from receiver.store.tables import messages
from receiver.vocabulary import Delivery, Kind, Reading
from receiver.vocabulary.parse import parse

SQLITE, POSTGRESQL = OURS[Database.SQLITE], OURS[Database.POSTGRESQL]

WRK_SAID = """\
Running 2s test @ http://127.0.0.1:23456/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   156.77ms  232.57ms   1.04s    81.94%
    Req/Sec     2.73k    97.97     2.84k    80.00%
  5444 requests in 2.01s, 840.15KB read
Requests/sec:   2706.55
Transfer/sec:    417.69KB
{"replies": 5444, "seconds": 2.0, "p50_ms": 0.414, "p99_ms": 850.54, "errors": 3}
"""


def sample(
    per_second: float = 1_000,
    p99_ms: float = 10,
    *,
    errors: int = 0,
    memory_mb: float = 60,
    missing: int | None = 0,
    cpu_seconds: float = 2.5,
) -> Sample:
    load = Load(replies=round(per_second * 5), seconds=5, p50_ms=p99_ms / 2, p99_ms=p99_ms, errors=errors)
    answered = load.replies + 1_000
    return Sample(load, cpu_seconds, memory_mb, answered, None if missing is None else answered - missing)


def row_of(table: list[Row], contender: Contender) -> Row:
    return next(row for row in table if row.contender is contender)


def test_what_wrk_prints_before_its_results_is_skipped() -> None:
    load = read(WRK_SAID)
    assert load == Load(replies=5444, seconds=2.0, p50_ms=0.414, p99_ms=850.54, errors=3)
    assert load.per_second == 2722


@pytest.mark.parametrize(("answer", "right"), [(b"0", True), (b"-4", False)])
def test_our_own_generator_counts_what_is_not_0_as_an_error(answer: bytes, right: bool) -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        arguments = [str(server.server_port), "0.2", "4", "5", "7", "&dst=1&msg=a", "&dst=1&msg=b"]
        done = subprocess.run([sys.executable, "-m", "bench.generator", *arguments], capture_output=True, check=True)
        server.shutdown()
    said = json.loads(done.stdout)
    assert (said["replies"], said["errors"]) == ((len(asked), 0) if right else (0, len(asked)))
    assert said.keys() == set(Load.__slots__)
    assert {"/recv.asp?src=13000000012&dst=1&msg=a", "/recv.asp?src=13000000019&dst=1&msg=b"} <= set(asked)
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize(
    "output",
    [
        "",
        "unable to connect to 127.0.0.1:1 Connection refused\n",
        '{"replies": 1}\n',
        '{"replies": 1, "seconds": 1, "p50_ms": 1, "p99_ms": 1, "errors": 0, "more": 1}\n',
        "[1]\n",
        '{"replies": 0, "seconds": 2.0, "p50_ms": 0, "p99_ms": 0, "errors": 9}\n',
    ],
)
def test_a_generator_without_results_is_an_error_that_quotes_it(output: str) -> None:
    with pytest.raises(LoadFailed) as failed:
        read(output)
    assert output in str(failed.value)


def test_every_request_is_a_reply_with_the_text_that_was_meant() -> None:
    for end in query_ends():
        delivery = parse(f"src=13800000000{end}".encode(), Reading())
        assert isinstance(delivery, Delivery)
        assert delivery.src == "+8613800000000"
        assert delivery.kind is Kind.REPLY
        assert end.isascii()
        assert "\ufffd" not in delivery.text
        assert parse_qs(end, encoding="latin-1").keys() == {"dst", "msg"}


def test_no_phone_comes_twice_in_two_runs() -> None:
    starts = sorted(run * LARGEST_RUN for run in range(100))
    assert starts[-1] + LARGEST_RUN <= PHONES
    assert all(later - earlier == LARGEST_RUN for earlier, later in pairwise(starts))
    # Steps that share no divisor with the number of phones visit all before any twice.
    assert STEP % 2 != 0
    assert STEP % 5 != 0


def test_a_ratio_is_of_figures_from_the_same_round() -> None:
    # The machine slows down to a tenth: what was measured together still compares.
    pace = [1.0, 0.1, 0.5]
    measured = {
        EMPTY: [sample(2_000 * each, 20 / each, missing=None) for each in pace],
        SQLITE: [sample(1_800 * each, 30 / each) for each in pace],
        ORM[Database.SQLITE]: [sample(400 * each, 200 / each) for each in pace],
    }
    row = row_of(rows(measured), SQLITE)
    assert row.per_second == 900
    assert row.of_empty == pytest.approx(0.9)
    assert row.of_orm == pytest.approx(4.5)
    assert row.p99_of_empty == pytest.approx(1.5)


def test_each_is_compared_with_the_orm_on_its_own_database() -> None:
    measured = {contender: [sample(1_000)] for contender in ALL}
    measured[ORM[Database.SQLITE]] = [sample(500)]
    measured[ORM[Database.POSTGRESQL]] = [sample(200)]
    table = rows(measured)
    assert [row.of_orm for row in table] == [None, 2.0, 5.0, None, 1.0, 1.0, 5.0]
    assert row_of(table, ASYNCPG).of_empty == 1.0


def test_processor_time_is_per_answered_reply() -> None:
    measured = {EMPTY: [sample(1_000, cpu_seconds=2.0)]}
    assert rows(measured)[0].cpu_us == pytest.approx(400)


def kept(**changes: Sample) -> dict[str, bool]:
    """The budget's verdicts, for contenders that keep it but for ``changes``: of empty, sqlite, postgresql, orm."""
    good = sample(1_000)
    orm = [changes.get("orm", sample(250))]
    measured = {
        EMPTY: [changes.get("empty", sample(1_000, missing=None))],
        SQLITE: [changes.get("sqlite", good)],
        POSTGRESQL: [changes.get("postgresql", good)],
        ORM[Database.SQLITE]: orm,
        ORM[Database.POSTGRESQL]: orm,
    }
    return {promise.text: promise.kept for promise in budget(rows(measured))}


def test_a_budget_that_is_just_kept_is_met() -> None:
    assert all(kept(orm=sample(200), sqlite=sample(800, 30, memory_mb=90), postgresql=sample(800, 30)).values())
    assert len(kept()) == 10


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"sqlite": sample(799), "orm": sample(100)}, "SQLite: replies/s ≥ 0.8 × the empty view"),
        ({"postgresql": sample(699), "orm": sample(100)}, "PostgreSQL: replies/s ≥ 0.7 × the empty view"),
        ({"sqlite": sample(p99_ms=31)}, "SQLite: p99 ≤ 3 × the empty view's"),
        ({"postgresql": sample(memory_mb=90.1)}, "PostgreSQL: callback process ≤ 90 MB"),
        ({"sqlite": sample(999)}, "SQLite: replies/s ≥ 4 × one ORM commit each"),
        ({"postgresql": sample(missing=1)}, "PostgreSQL: every reply answered 0, and stored"),
        ({"sqlite": sample(errors=1)}, "SQLite: every reply answered 0, and stored"),
    ],
)
def test_each_line_of_the_budget_can_be_missed(changes: dict[str, Sample], missed: str) -> None:
    assert [text for text, met in kept(**changes).items() if not met] == [missed]


def test_rows_beyond_the_answered_are_no_loss() -> None:
    assert sample(missing=-64).lost == 0  # in flight when the generator stopped


def test_both_forms_of_the_report_show_every_contender_and_verdict() -> None:
    measured = {contender: [sample(1_000)] for contender in ALL}
    measured[POSTGRESQL] = [sample(100, missing=7)]
    table = rows(measured)
    promises = budget(table)
    machine = [("processor", "2 × abacus")]

    written = report.markdown("64 connections", machine, table, promises)
    console = Console(width=140)
    with console.capture() as capture:
        report.show(console, "64 connections", machine, table, promises)
    for text in (written, capture.get()):
        assert "2 × abacus" in text
        assert all(contender.name in text for contender in ALL)
        assert all(promise.text in text for promise in promises)
        assert text.count("missed") == sum(not promise.kept for promise in promises) == 4
        assert "receiver, PostgreSQL: 0 errors, 7 replies answered and not stored" in text

    lines = [line for line in written.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines[: len(ALL) + 2]} == {len(report.COLUMNS) + 1}


def test_the_disk_is_described(tmp_path: Path) -> None:
    assert filesystem(tmp_path)
    assert fsync_ms(tmp_path) > 0
    assert list(tmp_path.iterdir()) == []


def test_the_orm_baseline_stores_what_the_receiver_would(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'receiver.db'}"
    store = Store(url, pooled=False)
    store.ensure_current()
    engine = orm.open_engine(url)
    client = orm.create_app(engine).test_client()
    assert client.get(f"/recv.asp?src=13800000000{query_ends()[0]}").data == b"0"
    assert client.get("/recv.asp?src=13800000000").data == b"-1"
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        (stored,) = connection.execute(select(messages))
    engine.dispose()
    store.close()
    assert (stored.src, stored.text, stored.charset, stored.peer) == ("+8613800000000", TEXTS[0], "utf-8", "127.0.0.1")

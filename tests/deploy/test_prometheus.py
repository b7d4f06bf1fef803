"""Configuration, alarms and dashboard for Prometheus: a real one takes them, and finds every metric that they name."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from receiver.access import Keys, Scope
from receiver.store import acknowledged
from receiver.vocabulary.durations import Spread
from receiver.vocabulary.periods import hour_of
from tests.admin.raw import ask as ask_admin
from tests.admin.raw import written
from tests.callback.raw import ask, get
from tests.deploy.prometheus import CONFIGURED, Prometheus, configured, prometheus, promtool, until
from tests.filled import Filled
from tests.metrics.reading import scraped, values
from tests.metrics.test_roles import worker
from tests.serving import Server, free_port

pytestmark = pytest.mark.deploy

DASHBOARD = Path(__file__).parents[2] / "deploy/grafana/receiver.json"
_METRIC = re.compile(r"\breceiver_\w+")


@dataclass(frozen=True)
class Watched:
    """A receiver whose roles all run, what each of them tells, and a Prometheus that watches it."""

    scrapes: list[bytes]
    prometheus: Prometheus
    folder: Path


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    url = f"sqlite:///{folder / 'receiver.db'}"
    of_callback, of_worker = free_port(), free_port()
    filled = Filled(url)
    now = datetime.now(UTC)
    for days in range(5):  # so that it is known what is usual
        filled.reply(b"src=13900000001&dst=1069&msg=hello", at=now - timedelta(days=days))
    with filled.store.writing() as connection:
        acknowledged.add(connection, hour_of(now), {3: Spread(10, 400)})
    key = Keys(filled.store).create("prometheus", [Scope.METRICS_READ], actor="tests").token
    filled.store.close()
    env = {
        "RECEIVER_CALLBACK_METRICS_BIND": f"127.0.0.1:{of_callback}",
        "RECEIVER_WORKER_METRICS_BIND": f"127.0.0.1:{of_worker}",
    }
    with (
        Server(url, folder, env, migrate=False) as callback,
        Server(url, folder, env, role="admin", migrate=False) as admin,
        worker(folder, callback.env),
        prometheus(configured(folder, of_callback, of_worker, admin.port, key)) as running,
    ):
        for query in (b"src=13900000001&dst=1069&msg=hello", b"src=13900000002&dst=1069&msg=0000", b"dst=1069&msg=x"):
            ask(callback.port, get(b"/recv.asp?" + query))
        until(lambda: bool(running.query('receiver_answers_total{answer="-1"} == 1')), folder / "prometheus.log")
        until(lambda: bool(running.query("receiver_silence_ratio")), folder / "prometheus.log")
        scrapes = [scraped(of_callback)[2], scraped(of_worker)[2]]
        scrapes.append(ask_admin(admin.port, written("GET", "/metrics", key)).body)
        yield Watched(scrapes, running, folder)


def alarms() -> list[dict[str, Any]]:
    """Every alarm: its name, and its page, as they stand in the file."""
    said = (CONFIGURED / "alerts.yml").read_text()
    return [
        {"name": name, "runbook": runbook}
        for name, runbook in re.findall(r"- alert: (\w+)\n(?:(?!- alert).*\n)*?\s+runbook: (\S+)", said)
    ]


def test_promtool_takes_configuration_rules_and_their_tests(tmp_path: Path) -> None:
    promtool("check", "config", configured(tmp_path, 1, 2, 3, "key"))
    promtool("check", "rules", CONFIGURED / "alerts.yml")
    promtool("test", "rules", CONFIGURED / "tests.yml")


def test_every_alarm_is_tried_and_names_a_page_called_like_it() -> None:
    found = alarms()
    assert len(found) == (CONFIGURED / "alerts.yml").read_text().count("- alert: ") > 20
    tried = (CONFIGURED / "tests.yml").read_text()
    for alarm in found:
        kebab = re.sub(r"(?<!^)(?=[A-Z])", "-", alarm["name"]).lower()
        assert alarm["runbook"] == f"docs/runbook/{kebab}.md"
        assert tried.count(f"alertname: {alarm['name']}\n") >= 1, f"{alarm['name']} is not tried"


def test_promtool_takes_what_each_role_tells(watched: Watched) -> None:
    for scrape in watched.scrapes:
        promtool("check", "metrics", given=scrape)


def test_alarms_and_dashboard_name_metrics_that_there_are(watched: Watched) -> None:
    there = {name.partition("{")[0] for scrape in watched.scrapes for name in values(scrape)}
    named = {*_METRIC.findall((CONFIGURED / "alerts.yml").read_text()), *_METRIC.findall(DASHBOARD.read_text())}
    assert named - there == set()
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in there}
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in named}
    assert families - shown == set(), "what nobody looks at"


def test_every_query_of_the_dashboard_is_one(watched: Watched) -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    targets = [target for panel in panels for target in panel.get("targets", [])]
    assert len(targets) > 40
    for target in targets:
        watched.prometheus.query(target["expr"].replace("$__rate_interval", "1m"))


def test_a_real_prometheus_works_every_alarm_out(watched: Watched) -> None:
    def rules() -> list[Any]:
        return [rule for group in watched.prometheus.get("rules")["groups"] for rule in group["rules"]]

    until(lambda: all(rule["health"] == "ok" for rule in rules()), watched.folder / "prometheus.log")
    assert {rule["name"] for rule in rules()} == {alarm["name"] for alarm in alarms()}
    # The one delivery that is in quarantine, and a backup that nobody has made.
    assert {rule["name"] for rule in rules() if rule["state"] != "inactive"} <= {"DeliveriesQuarantined", "BackupOld"}

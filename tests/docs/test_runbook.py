"""Whatever raises an alarm has its page in the runbook, in both languages, and a page is of something that does."""

import re
from pathlib import Path

import pytest
import yaml

from receiver.worker.health import LEVELS, Says
from tests.docs.pages import ROOT

RUNBOOK = ROOT / "docs/runbook"
RULES = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
ALERTS = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"]}
PAGES = sorted(page for page in RUNBOOK.glob("*.md") if not page.name.startswith("index"))
DOCTOR = (ROOT / "receiver/worker/doctor.py").read_text()
HEADINGS = {
    ".md": ["What it means", "What is at risk", "What to look at", "What mends it"],
    ".zh.md": ["含义", "风险", "先看什么", "如何处理"],
}


def kebab(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_has_its_page_and_names_it(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["annotations"]["runbook"] == f"docs/runbook/{kebab(alert)}.md"
    for ending in HEADINGS:
        said = (RUNBOOK / f"{kebab(alert)}{ending}").read_text()
        assert said.startswith(f"# {alert}\n")
        assert ("**critical**" in said or "**严重**" in said) == (rule["labels"]["severity"] == "critical")


@pytest.mark.parametrize("language", HEADINGS)
def test_every_part_that_doctor_names_leads_to_a_page(language: str) -> None:
    index = (RUNBOOK / f"index{language}").read_text()
    parts = set(re.findall(r'Check\(\s*"([a-z ]+)"', DOCTOR)) | set(re.findall(r'"[a-z]+": "([a-z ]+)"', DOCTOR))
    assert {"settings", "spool of pulled replies", "ledger"} <= parts
    for part in parts:
        assert re.search(rf"^\| {part} \| \[.+\]\([a-z-]+\.md\)", index, re.M), part


def test_whatever_health_finds_is_of_a_part_with_a_page() -> None:
    assert {says.partition("-")[0] for says in LEVELS} == {"database", "disk", "pushed", "spool", "task"}
    assert set(LEVELS) < set(Says)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_tells_all_four_things(page: Path) -> None:
    said = page.read_text()
    assert re.findall(r"^## (.+)$", said, re.M) == HEADINGS[".zh.md" if ".zh" in page.name else ".md"]
    links = re.findall(rf"\]\({page.name.split('.')[0]}\.md\)", (RUNBOOK / "index.md").read_text())
    assert links, "the index leads to it"

"""A scrape as tests read it, and the table of docs/metrics.md."""

import http.client
import re
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families as parsed

DOCS = Path(__file__).parents[2] / "docs/metrics.md"
_ROW = re.compile(r"\| `(receiver_\w+)` \| (\w+) \|([^|]*)\|([^|]*)\|([^|]*)\|")


@dataclass(frozen=True, order=True)
class Told:
    """One metric, as a document or the code describes it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    roles: tuple[str, ...]
    says: str


def values(text: bytes) -> dict[str, float]:
    """By name and labels, as they stand in the scrape."""
    found = {}
    for family in parsed(text.decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def scraped(port: int, path: str = "/metrics", method: str = "GET") -> tuple[int, http.client.HTTPMessage, bytes]:
    """What is answered there: status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def documented() -> list[Told]:
    """The rows of the tables of docs/metrics.md."""
    return [
        Told(name, kind, _words(labels), _words(roles), says.strip())
        for name, kind, labels, roles, says in _ROW.findall(DOCS.read_text())
    ]


def _words(cell: str) -> tuple[str, ...]:
    return tuple(word.strip(" `") for word in cell.split(",") if word.strip())

"""Metrics that are found out when somebody asks, as they are declared: name, meaning and labels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from receiver.tally import Role

families: list["Family"] = []
"""All that were declared."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. Its labels have few values, none of which anybody from outside can make up."""

    name: str
    says: str
    roles: Sequence[Role]
    labels: tuple[str, ...] = ()
    kind: str = "gauge"

    def __post_init__(self) -> None:
        families.append(self)

    def metric(self, samples: Iterable[tuple[Sequence[str], float]]) -> Metric:
        """It with a value for each of these labels."""
        make = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        made = make(self.name, self.says, labels=self.labels)
        for labels, value in samples:
            made.add_metric(list(labels), value)
        return made

    def is_(self, value: float, *labels: str) -> Metric:
        """It with one value."""
        return self.metric([(labels, value)])

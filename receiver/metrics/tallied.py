"""What the processes of a role have counted, as metrics."""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from receiver import tally
from receiver.tally import Found, Measure, Role


def tallied(role: Role) -> Iterator[Metric]:
    """Everything that this role counts."""
    for measure, found in tally.read(role):
        yield _spread(measure, found) if measure.kind == "histogram" else _number(measure, found)


def _number(measure: Measure, found: Sequence[Found]) -> Metric:
    make = CounterMetricFamily if measure.kind == "counter" else GaugeMetricFamily
    made = make(measure.name, measure.says, labels=measure.labels)
    for each in found:
        made.add_metric(list(each.labels), each.values[0] * measure.unit)
    return made


def _spread(measure: Measure, found: Sequence[Found]) -> Metric:
    made = HistogramMetricFamily(measure.name, measure.says, labels=measure.labels)
    bounds = [str(round(bound * measure.unit, 9)) for bound in measure.bounds] + ["+Inf"]
    for each in found:
        *counts, total = each.values
        buckets = list(zip(bounds, map(float, accumulate(counts)), strict=True))
        made.add_metric(list(each.labels), buckets, total * measure.unit)
    return made

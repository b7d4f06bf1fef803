"""What monitoring is told of the receiver: numbers in Prometheus' form, and nothing private (docs/metrics.md)."""

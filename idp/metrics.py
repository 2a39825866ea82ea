"""Counters for Prometheus, one registry per process; `/metrics` tells those of the worker asked."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

registry = CollectorRegistry()
EVENTS = Counter("gongmu_events", "Security events written", ("kind", "reason"), registry=registry)
REQUESTS = Histogram(
    "gongmu_request_seconds",
    "Time to answer, by route",
    ("route", "status"),
    buckets=(0.005, 0.02, 0.1, 0.5, 2.0, 5.0),
    registry=registry,
)
OUTSIDE = Counter(
    "gongmu_outside_failures",
    "Calls that a system beside us did not answer",
    ("system",),
    registry=registry,
)
LETTERS = Gauge(
    "gongmu_outbox_waiting",
    "Letters not yet delivered nor given up, of all processes; NaN when SQL is away",
    registry=registry,
)

"""The metrics of the embedded cloud: what each is called, measures, and how a minute yields it.

Names, kinds, types, units and labels are those of
https://cloud.google.com/monitoring/api/metrics_gcp for Cloud Run. Bucket layouts are not
documented there; readers must take them from `bucket_options`, which is why three different
layouts are used here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from canary.simulator.api.monitoring.aggregation import Shape, Value
from canary.simulator.wire import messages
from canary.simulator.world.traffic.minute import (
    CONFIDENCE_BOUNDS,
    LATENCY_BOUNDS_MS,
    LATENCY_FINITE_BUCKETS,
    LATENCY_GROWTH,
    LATENCY_SCALE_MS,
    MINUTE_S,
    RATIO_BOUNDS,
    RATIO_WIDTH,
    Distribution,
    Minute,
)

RESOURCE_TYPE = "cloud_run_revision"
RESOURCE_LABELS = (
    "project_id",
    "location",
    "service_name",
    "revision_name",
    "configuration_name",
)
GENERIC_TASK = "generic_task"
TASK_LABELS = ("project_id", "location", "namespace", "job", "task_id")
LOG_BASED = "logging.googleapis.com/user/"
SAMPLE_PERIOD_S = MINUTE_S

Labels = tuple[tuple[str, str], ...]
Reading = tuple[Labels, Value]
Reader = Callable[[Minute], Iterator[Reading]]


def _linear(bounds: tuple[float, ...], width: float) -> Any:
    layout = messages.Distribution.BucketOptions()
    layout.linear_buckets.num_finite_buckets = len(bounds) - 1
    layout.linear_buckets.width = width
    return layout


def _explicit(bounds: tuple[float, ...]) -> Any:
    layout = messages.Distribution.BucketOptions()
    layout.explicit_buckets.bounds.extend(bounds)
    return layout


def _exponential(finite: int, growth: float, scale: float) -> Any:
    layout = messages.Distribution.BucketOptions()
    layout.exponential_buckets.num_finite_buckets = finite
    layout.exponential_buckets.growth_factor = growth
    layout.exponential_buckets.scale = scale
    return layout


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric type. `read` yields (metric labels, value) for each series of one minute."""

    type: str
    shape: Shape
    unit: str
    display_name: str
    description: str
    labels: tuple[tuple[str, str], ...]
    """(key, description)."""
    read: Reader
    buckets: Any = None
    """BucketOptions of a distribution."""
    resource_type: str = RESOURCE_TYPE

    @property
    def resource_labels(self) -> tuple[str, ...]:
        """The labels of its resource, in the order in which they are filled."""
        return TASK_LABELS if self.resource_type == GENERIC_TASK else RESOURCE_LABELS

    @property
    def service_label(self) -> str:
        """The label that holds the service's name."""
        return "job" if self.resource_type == GENERIC_TASK else "service_name"


CONCURRENCY_BOUNDS: tuple[float, ...] = tuple(float(i) for i in range(0, 1010, 10))
_RESPONSE_LABELS = (
    ("response_code", "Response code of a request."),
    ("response_code_class", "Response code class of a request."),
    ("route", "Route that was taken, if the service has several."),
)
_STATE_LABEL = (("state", "State of the container instances: active or idle."),)
_ACTIVE: Labels = (("state", "active"),)
_IDLE: Labels = (("state", "idle"),)


def _code_labels(code: int) -> Labels:
    return (("response_code", str(code)), ("response_code_class", f"{code // 100}xx"))


_CODE_LABELS: dict[int, Labels] = {code: _code_labels(code) for code in range(100, 600)}


def _read_requests(minute: Minute) -> Iterator[Reading]:
    for code, count in minute.responses.items():
        yield _CODE_LABELS[code], count


def _read_latencies(minute: Minute) -> Iterator[Reading]:
    for code, spread in minute.latencies.items():
        yield _CODE_LABELS[code], spread


def _read_instances(minute: Minute) -> Iterator[Reading]:
    yield _ACTIVE, minute.instances_active
    yield _IDLE, minute.instances_idle


def _read_billable(minute: Minute) -> Iterator[Reading]:
    yield (), float(minute.billable_s)


def _read_concurrency(minute: Minute) -> Iterator[Reading]:
    count, value = minute.instances_active, minute.max_concurrency
    if count == 0:
        return
    bucket = min(int(value // 10) + 1, len(CONCURRENCY_BOUNDS))
    spread = Distribution((0,) * bucket + (count,), value * count, value * value * count)
    yield _ACTIVE, spread


def _spread_reader(name: str) -> Reader:
    def read(minute: Minute) -> Iterator[Reading]:
        spread: Distribution = getattr(minute, name)
        if spread.counts:  # no values is no point, never a point of nothing
            yield (), spread

    return read


_RATIOS = _linear(RATIO_BOUNDS, RATIO_WIDTH)
_PREFIX = "run.googleapis.com/"
_CLOUD_RUN: tuple[Metric, ...] = (
    Metric(
        _PREFIX + "request_count",
        Shape("DELTA", "INT64"),
        "1",
        "Request Count",
        "Number of requests reaching the revision.",
        _RESPONSE_LABELS,
        _read_requests,
    ),
    Metric(
        _PREFIX + "request_latencies",
        Shape("DELTA", "DISTRIBUTION", LATENCY_BOUNDS_MS),
        "ms",
        "Request Latency",
        "Distribution of request latency in milliseconds reaching the revision.",
        _RESPONSE_LABELS,
        _read_latencies,
        _exponential(LATENCY_FINITE_BUCKETS, LATENCY_GROWTH, LATENCY_SCALE_MS),
    ),
    Metric(
        _PREFIX + "container/instance_count",
        Shape("GAUGE", "INT64"),
        "1",
        "Instance Count",
        "The number of container instances that exist, broken down by state.",
        _STATE_LABEL,
        _read_instances,
    ),
    Metric(
        _PREFIX + "container/cpu/utilizations",
        Shape("DELTA", "DISTRIBUTION", RATIO_BOUNDS),
        "10^2.%",
        "Container CPU Utilization",
        "Container CPU utilization distribution across all container instances.",
        (),
        _spread_reader("cpu"),
        _RATIOS,
    ),
    Metric(
        _PREFIX + "container/memory/utilizations",
        Shape("DELTA", "DISTRIBUTION", RATIO_BOUNDS),
        "10^2.%",
        "Container Memory Utilization",
        "Container memory utilization distribution across all container instances.",
        (),
        _spread_reader("memory"),
        _RATIOS,
    ),
    Metric(
        _PREFIX + "container/max_request_concurrencies",
        Shape("DELTA", "DISTRIBUTION", CONCURRENCY_BOUNDS),
        "1",
        "Max Concurrent Requests",
        "Distribution of the maximum number of concurrent requests served by each instance.",
        _STATE_LABEL,
        _read_concurrency,
        _linear(CONCURRENCY_BOUNDS, 10.0),
    ),
    Metric(
        _PREFIX + "container/billable_instance_time",
        Shape("DELTA", "DOUBLE"),
        "s",
        "Billable container instance time",
        "Billable time aggregated from all container instances.",
        (),
        _read_billable,
    ),
)


def metrics_of(confidence_metric: str) -> dict[str, Metric]:
    """Return every metric by its type: Cloud Run's own, and the application's confidence.

    Confidence is CUMULATIVE, because Cloud Monitoring takes no DELTA of a user-defined metric. A
    log-based one keeps Cloud Run's labels; any other is on `generic_task` (`job` the service,
    `namespace` the revision), since it cannot be written to `cloud_run_revision`. "" is none.
    """
    if not confidence_metric:
        return {metric.type: metric for metric in _CLOUD_RUN}
    confidence = Metric(
        confidence_metric,
        Shape("CUMULATIVE", "DISTRIBUTION", CONFIDENCE_BOUNDS),
        "1",
        "Confidence score",
        "The application's own score of each answer, 0 to 1.",
        (),
        _spread_reader("confidence"),
        _explicit(CONFIDENCE_BOUNDS),
        RESOURCE_TYPE if confidence_metric.startswith(LOG_BASED) else GENERIC_TASK,
    )
    return {metric.type: metric for metric in (*_CLOUD_RUN, confidence)}

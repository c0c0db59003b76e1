"""What is asked of a Prometheus: selectors of counters, for each preset. Pure.

`otel`: OpenTelemetry's HTTP server metric as its Prometheus exporter names it (semantic
conventions, "HTTP metrics": seconds; attributes become labels with underscores).
`cloud-run`: Cloud Run's own metrics under the names of Google's Managed Service for Prometheus
(cloud.google.com/stackdriver/docs/managed-prometheus/promql, "Mapping Cloud Monitoring metric names
to PromQL"). Not seen live here.
`custom`: the plan's own selectors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from canary.rollout.plan.metrics import SIDE, Metrics
from canary.rollout.plan.plan import Plan

_OTEL: Final = "http_server_request_duration_seconds"
_OTEL_STATUS: Final = "http_response_status_code"
_OTEL_LABELS: Final = (
    "http_route",
    "http_request_method",
    "url_scheme",
    "error_type",
    "network_protocol_name",
    "network_protocol_version",
    "server_address",
    "server_port",
    "user_agent_synthetic_type",
)
"""Labels of OpenTelemetry's that tell requests of one process apart: added up by the server, since
all counters of a process begin anew together. What tells processes apart must stay."""

_GOOGLE: Final = 'run_googleapis_com:{name}{{monitored_resource="cloud_run_revision",{side}}}'


class Queries(msgspec.Struct, frozen=True):
    """The selectors with the sides' matcher in them. `native` is that of a native histogram, asked
    where `latency` has no series; "" where there can be none. `bound_ms` is what a bound counts in
    ms.
    """

    requests: str
    latency: str
    native: str
    status_label: str
    side_label: str
    bound_ms: float


def side_label_of(plan: Plan) -> str:
    """The label that tells the sides apart, where the plan does not name it."""
    metrics, shared = plan.metrics, plan.target.shares_one_service
    if metrics.side_label is not None:
        return metrics.side_label
    if metrics.preset == "cloud-run":
        return "revision_name" if shared else "service_name"
    return "revision" if shared else "service_name"


def build_queries(plan: Plan, sides: Iterable[str]) -> Queries:
    """The queries for series whose side label has one of `sides`."""
    metrics, label = plan.metrics, side_label_of(plan)
    matcher = f"{label}=~{quote('|'.join(re.escape(side) for side in sides if side))}"
    if metrics.preset == "otel":
        without = ", ".join(_OTEL_LABELS)
        return Queries(
            requests=f"sum without ({without}) ({_OTEL}_count{{{matcher}}})",
            latency=f"sum without ({without}, {_OTEL_STATUS}) ({_OTEL}_bucket{{{matcher}}})",
            native=f"sum without ({without}) ({_OTEL}{{{matcher}}})",
            status_label=_OTEL_STATUS,
            side_label=label,
            bound_ms=1000.0,
        )
    if metrics.preset == "cloud-run":
        return Queries(
            requests=_GOOGLE.format(name="request_count", side=matcher),
            latency=_GOOGLE.format(name="request_latencies_bucket", side=matcher),
            native="",
            status_label="response_code_class",
            side_label=label,
            bound_ms=1.0,
        )
    return _custom(metrics, matcher, label)


def _custom(metrics: Metrics, matcher: str, label: str) -> Queries:
    chosen = metrics.selectors
    if chosen is None:
        raise ValueError("the preset custom without selectors: a plan is checked before")
    return Queries(
        requests=chosen.requests.replace(SIDE, matcher),
        latency=(chosen.latency or "").replace(SIDE, matcher),
        native="",
        status_label=chosen.status_label,
        side_label=label,
        bound_ms=1000.0 if chosen.latency_unit == "s" else 1.0,
    )


def quote(text: str) -> str:
    """A PromQL string: backslashes and quotes escaped (prometheus.io/docs, "String literals")."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'

"""The plan's table [metrics]: where the numbers come from, how old and how thin they may be.

Part of `plan`. Units are in the names; what a single value may be stands in its type.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from canary.rollout.plan.tables import VARIABLE, Header, text

MetricType = Annotated[
    str,
    text(
        "([A-Za-z0-9.-]+(/[A-Za-z0-9_.-]+)+)?",
        'a metric type, as "custom.googleapis.com/ion/confidence_score", or "" for none',
    ),
]
ResourceType = Annotated[
    str, text("[a-z][a-z0-9_]*", 'the type of a monitored resource, as "generic_task"')
]
LabelName = Annotated[
    str, text(r"(metric\.)?[A-Za-z_]\w*", 'a label, as "job", or one of the metric, "metric.side"')
]
SeriesLabel = Annotated[
    str, text("[A-Za-z_][A-Za-z0-9_]*", 'the name of a label, as "service_name"')
]
Selector = Annotated[
    str,
    text(
        r"(?s:.*\{side\}.*)",
        "a selector of series with {side} where the side's label goes, as 'x_total{env=\"prod\","
        "{side}}'",
    ),
]
Variable = Annotated[str, text(VARIABLE, "the name of an environment variable")]

SIDE: Final = "{side}"
"""What stands for the matcher of the sides in a selector of one's own."""


class Selectors(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which series a Prometheus of one's own names hold, for the preset "custom".

    `requests` is a counter with a label of the status; `latency` the `_bucket` series of a classic
    histogram, or a native histogram; "" where there is none. `{side}` is where the sides' matcher
    goes. `status_label` has a code ("503") or a class ("5xx"); `latency_unit` is that of `le`.
    """

    requests: Selector
    latency: Selector | None = None
    status_label: SeriesLabel = "code"
    latency_unit: Literal["s", "ms"] = "s"


class Metrics(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Windows, freshness and the least number of requests a judgement may rest on; the source.

    `confidence_resource` and `confidence_label` are the metric's monitored resource and the label
    that tells the side; None: as `plan.confidence` has it for a metric of that name. A label is
    one of the resource, or "metric.NAME".

    `source` "prometheus": requests and latency come from the Prometheus API at `url` (its base,
    without /api/v1). `auth` says what goes along: a Google token, the secret that the environment
    variable `secret_env` holds (a bearer token; with "basic" the password of `username`), or
    nothing. `headers` are sent as they stand, `headers_env` with the values of those variables.
    `preset` names the series; `side_label` is the label that tells the sides, with the values
    `legacy_side` and `canary_side` (None: the names of the services, or of the revisions).
    `scrape_s` is how often targets are scraped. `others` "monitoring": instances, processor,
    memory and confidence still come from Cloud Monitoring; "none": they are no data.
    """

    window_minutes: Annotated[int, Meta(ge=1, le=1440)] = 5
    criteria_window_minutes: Annotated[int, Meta(ge=1, le=10_080)] = 60
    min_requests: Annotated[int, Meta(ge=1, le=10**9)] = 100
    stale_after_s: Annotated[float, Meta(ge=60, le=86_400)] = 300.0
    refresh_s: Annotated[float, Meta(ge=1, le=3600)] = 30.0
    confidence_metric: MetricType = "custom.googleapis.com/ion/confidence_score"
    confidence_resource: ResourceType | None = None
    confidence_label: LabelName | None = None
    source: Literal["monitoring", "prometheus"] = "monitoring"
    url: str | None = None
    auth: Literal["google", "bearer", "basic", "none"] = "none"
    secret_env: Variable | None = None
    username: str = ""
    headers: dict[Header, str] = {}
    headers_env: dict[Header, Variable] = {}
    preset: Literal["otel", "cloud-run", "custom"] = "otel"
    selectors: Selectors | None = None
    side_label: SeriesLabel | None = None
    legacy_side: str | None = None
    canary_side: str | None = None
    scrape_s: Annotated[float, Meta(ge=1, le=300)] = 15.0
    others: Literal["monitoring", "none"] = "none"

    @property
    def source_name(self) -> str:
        """What the source of requests and latency is called on the screen."""
        return "Prometheus" if self.source == "prometheus" else "Cloud Monitoring"

"""The ways to a confidence metric that can exist, with what it takes to have each. Pure.

Custom metrics cannot be written to `cloud_run_revision` (opentelemetry-operations-java#248,
-python#314, -go#762): a log-based distribution keeps Cloud Run's labels, and a custom metric hangs
on `generic_task`.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from canary.rollout.plan.confidence import LOG_BASED
from canary.rollout.plan.plan import Plan

PresetName = Literal["log", "custom", "none"]


class Preset(msgspec.Struct, frozen=True):
    """One way. `metric` is what metrics.confidence_metric names; `lines` are what the application
    or gcloud has to do for it.
    """

    about: str
    metric: str
    lines: tuple[str, ...]


PRESETS: Final[dict[PresetName, Preset]] = {
    "log": Preset(
        "a log-based distribution: the application logs its score, Cloud Run's labels stay",
        "logging.googleapis.com/user/confidence",
        (
            'The application logs one JSON line an answer, as {"confidence": 0.82}. Once:',
            "  gcloud logging metrics create confidence --config-from-file=confidence.yaml",
            "with confidence.yaml:",
            '  filter: resource.type="cloud_run_revision" AND jsonPayload.confidence:*',
            "  valueExtractor: EXTRACT(jsonPayload.confidence)",
            "  metricDescriptor: {metricKind: DELTA, valueType: DISTRIBUTION}",
            "  bucketOptions: {linearBuckets: {numFiniteBuckets: 20, width: 0.05}}",
        ),
    ),
    "custom": Preset(
        "a custom metric on generic_task, as OpenTelemetry writes it",
        "custom.googleapis.com/ion/confidence_score",
        (
            "The application writes the metric with these resource attributes (OpenTelemetry):",
            '  Resource({"service.name": os.environ["K_SERVICE"],          # job',
            '            "service.namespace": os.environ["K_REVISION"],    # namespace',
            '            "service.instance.id": uuid.uuid4().hex})         # task_id',
            "A custom metric on cloud_run_revision is refused by Cloud Monitoring.",
        ),
    ),
    "none": Preset("no score: its criteria are left out of the stages", "", ()),
}


def preset_of(plan: Plan) -> PresetName:
    """Which way a plan has taken, by its metric's name."""
    metric = plan.metrics.confidence_metric
    if not metric:
        return "none"
    return "log" if metric.startswith(LOG_BASED) else "custom"

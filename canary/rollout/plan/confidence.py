"""Where the confidence metric hangs, and which label of it tells the side. Pure.

Custom metrics cannot be written to `cloud_run_revision`: clients write `generic_task` (labels
`job`, `task_id`, `namespace`, `location`), OpenTelemetry among them. Only a log-based metric keeps
Cloud Run's own labels. Source: opentelemetry-operations-java#248, -python#314, -go#762.
"""

from __future__ import annotations

from typing import Final

import msgspec

from canary.rollout.plan.plan import Plan

CLOUD_RUN: Final = "cloud_run_revision"
GENERIC_TASK: Final = "generic_task"
LOG_BASED: Final = ("logging.googleapis.com/user/", "run.googleapis.com/")
"""Metrics of which Cloud Run's own labels are kept."""


class ConfidenceSource(msgspec.Struct, frozen=True):
    """`resource` is the monitored resource's type. `label` and `service_label` are whole paths, as
    "resource.labels.job": the first tells the side, the second holds the service's name where both
    sides are revisions of one ("" elsewhere).
    """

    resource: str
    label: str
    service_label: str = ""


def find_confidence_source(plan: Plan) -> ConfidenceSource | None:
    """Where it is looked for; None: the plan has no confidence metric.

    What the plan does not say follows from the metric's name and from what tells the sides apart:
    services (their names), or the revisions of one service (`K_REVISION` in `namespace`).
    """
    metrics, shared = plan.metrics, plan.target.shares_one_service
    if not metrics.confidence_metric:
        return None
    resource = metrics.confidence_resource or (
        CLOUD_RUN if metrics.confidence_metric.startswith(LOG_BASED) else GENERIC_TASK
    )
    label = metrics.confidence_label
    if resource == CLOUD_RUN:
        label = label or ("revision_name" if shared else "service_name")
        return ConfidenceSource(resource, _path(label), _path("service_name") if shared else "")
    label = label or ("namespace" if shared else "job")
    of_service = shared and resource == GENERIC_TASK and label != "job"
    return ConfidenceSource(resource, _path(label), _path("job") if of_service else "")


def _path(label: str) -> str:
    """A bare name is a label of the resource; "metric.NAME" is one of the metric."""
    owner, dot, name = label.partition(".")
    return f"metric.labels.{name}" if dot and owner == "metric" else f"resource.labels.{label}"

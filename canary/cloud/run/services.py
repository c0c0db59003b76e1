"""Cloud Run `Service` and `Revision` messages → views. Pure: raw protobufs in, frozen out."""

from __future__ import annotations

from typing import Any

from canary.cloud.run.shares import (
    candidate_revision,
    read_percent,
    read_served_percent,
    short_name,
)
from canary.cloud.views import RevisionState, ServiceState
from canary.rollout.change.history_entries import HistoryEntry, history_key, read_history
from canary.rollout.change.stage_record import StageRecord, decode_record
from canary.rollout.errors import Malformed
from canary.rollout.plan.plan import Plan, ScalePreset
from canary.rollout.text import sanitize

_SUCCEEDED = 4
_FAILED = 3
"""google.cloud.run.v2.Condition.State: CONDITION_SUCCEEDED, CONDITION_FAILED."""

_DEFAULT_MOST_INSTANCES = 100
"""What Cloud Run scales to when nothing says otherwise (template.scaling's documented default)."""

_REASON_LENGTH = 300


def read_service(plan: Plan, message: Any) -> ServiceState:
    """Return the state of a service; the share only if it is the router's.

    The record is the router's, too, or Canary's, which keeps it when the router is deleted.
    """
    router = plan.target.router
    name = short_name(message.name)
    carries = name == plan.router_service
    keeps = carries or name == plan.target.canary
    record, record_error = _read_record(plan, message) if keeps else (None, "")
    ready, reason = _read_ready(message.terminal_condition)
    containers = message.template.containers
    return ServiceState(
        name=name,
        etag=message.etag,
        uri=message.uri,
        percent=read_percent(router, message) if carries else None,
        served_percent=read_served_percent(router, message) if carries else None,
        reconciling=message.reconciling or 0 < message.observed_generation < message.generation,
        ready=ready,
        ready_reason=reason,
        revision=(candidate_revision(router, message) if carries else None)
        or short_name(message.latest_ready_revision),
        record=record,
        record_error=record_error,
        scale=_read_scale(message),
        last_modifier=sanitize(message.last_modifier, _REASON_LENGTH),
        updated_at=_read_time(message, "update_time"),
        generation=message.generation,
        observed_generation=message.observed_generation,
        image=sanitize(containers[0].image, _REASON_LENGTH) if containers else "",
        history=_read_history(plan, message) if carries else (),
    )


def read_revision(message: Any) -> RevisionState:
    """Return the state of a revision, judged by its `Ready` condition."""
    condition = next((c for c in message.conditions if c.type_ == "Ready"), None)
    ready, reason = _read_ready(condition) if condition is not None else (None, "")
    most = message.scaling.max_instance_count
    return RevisionState(
        name=short_name(message.name),
        ready=ready,
        reason=reason,
        created_at=_read_time(message, "create_time"),
        max_instances=most or None,
    )


def _read_record(plan: Plan, message: Any) -> tuple[StageRecord | None, str]:
    # `in` first: indexing a protobuf map adds the key to the message.
    if plan.record.annotation not in message.annotations:
        return None, ""
    try:
        return decode_record(message.annotations[plan.record.annotation]), ""
    except Malformed as exc:
        return None, sanitize(exc.message, _REASON_LENGTH)


def _read_history(plan: Plan, message: Any) -> tuple[HistoryEntry, ...]:
    key = history_key(plan.record.annotation)
    return read_history(message.annotations[key]) if key in message.annotations else ()


def _read_ready(condition: Any) -> tuple[bool | None, str]:
    if condition.state == _SUCCEEDED:
        return True, ""
    ready = False if condition.state == _FAILED else None
    return ready, sanitize(condition.message, _REASON_LENGTH)


def _read_scale(message: Any) -> ScalePreset | None:
    """The instances that can really run: the service's limits, within the template's."""
    of_service, of_revision = message.scaling, message.template.scaling
    limits = [m for m in (of_service.max_instance_count, of_revision.max_instance_count) if m > 0]
    least = max(of_service.min_instance_count, of_revision.min_instance_count)
    return ScalePreset(least, min(limits, default=_DEFAULT_MOST_INSTANCES))


def _read_time(message: Any, field: str) -> float | None:
    if not message.HasField(field):
        return None
    stamp = getattr(message, field)
    return float(stamp.seconds + stamp.nanos / 1e9)

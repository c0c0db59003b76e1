"""Cloud Run `Service` and `Revision` messages ↔ views. Pure; the messages are raw protobufs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from canary.cloud.views import RevisionState, ServiceState
from canary.rollout.change.annotations import annotation_key
from canary.rollout.change.basis import canary_scaled
from canary.rollout.change.history_entries import HistoryEntry, history_key, read_history
from canary.rollout.change.hold import Hold, decode_hold
from canary.rollout.change.irreversible import TOPIC, Irreversible, decode_irreversible
from canary.rollout.change.marks import TOPIC as MARKS
from canary.rollout.change.marks import read_marks
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


def short_name(name: str) -> str:
    """The last part of a resource name: `projects/…/revisions/x` → `x`."""
    return name.rpartition("/")[2]


def read_service(plan: Plan, message: Any) -> ServiceState:
    """The state of a service, without the share, which is its router's to tell.

    The record is the router's service's or Canary's, which keeps it when the former is deleted.
    """
    name = short_name(message.name)
    carries = name == plan.router_service
    marked = name == canary_scaled(plan)
    keeps = carries or name == plan.target.canary
    record, record_error = _read_record(plan, message) if keeps else (None, "")
    ready, reason = _read_ready(message.terminal_condition)
    containers = message.template.containers
    return ServiceState(
        name=name,
        etag=message.etag,
        uri=message.uri,
        percent=None,
        served_percent=None,
        reconciling=message.reconciling or 0 < message.observed_generation < message.generation,
        ready=ready,
        ready_reason=reason,
        revision=short_name(message.latest_ready_revision),
        record=record,
        record_error=record_error,
        scale=_read_scale(message),
        last_modifier=sanitize(message.last_modifier, _REASON_LENGTH),
        updated_at=_read_time(message, "update_time"),
        generation=message.generation,
        observed_generation=message.observed_generation,
        image=sanitize(containers[0].image, _REASON_LENGTH) if containers else "",
        history=_read_history(plan, message) if carries else (),
        limits=_read_limits(message),
        hold=_read_hold(plan, message) if carries else None,
        irreversible=_read_mark(plan, message) if marked else None,
        marks=read_marks(read_annotation(plan, message, MARKS)) if marked else (),
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


def _read_hold(plan: Plan, message: Any) -> Hold | None:
    return decode_hold(read_annotation(plan, message, "hold"))


def _read_mark(plan: Plan, message: Any) -> Irreversible | None:
    return decode_irreversible(read_annotation(plan, message, TOPIC))


def read_annotation(plan: Plan, message: Any, topic: str) -> str:
    """The text of a topic's annotation on a service or revision; "" where there is none."""
    key = annotation_key(plan.record.annotation, topic)
    return str(message.annotations.get(key, ""))


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


def _read_limits(message: Any) -> ScalePreset:
    """The service's own limits; where it sets no most, what its template says."""
    own, template = message.scaling, message.template.scaling
    most = own.max_instance_count or template.max_instance_count or _DEFAULT_MOST_INSTANCES
    return ScalePreset(own.min_instance_count, most)


def _read_time(message: Any, field: str) -> float | None:
    if not message.HasField(field):
        return None
    stamp = getattr(message, field)
    return float(stamp.seconds + stamp.nanos / 1e9)


# What is sent: a Service with little in it, so that nothing else is touched.

_SYSTEM_NAMESPACES = (
    "run.googleapis.com",
    "serving.knative.dev",
    "autoscaling.knative.dev",
    "cloud.googleapis.com",
)
"""Annotations in these (and what is below them) are refused in a request."""

_AUTOMATIC_SCALING = 1
"""google.cloud.run.v2.ServiceScaling.ScalingMode.AUTOMATIC."""


def start_update(service: Any) -> Any:
    """A Service with nothing but its name and the etag that guards the update."""
    update = type(service)()
    update.name = service.name
    update.etag = service.etag
    return update


def put_annotations(update: Any, annotations: Mapping[str, str]) -> None:
    """Put annotations into `update`, without the system's, which stay as they are over there.

    All that there are must be given: whether the mask merges or replaces is not documented.
    """
    for key, value in annotations.items():
        if not _is_system(key):
            update.annotations[key] = value


def put_scale(update: Any, service: Any, scale: ScalePreset) -> None:
    """Put service-level limits into `update`: they make no new revision."""
    update.scaling.CopyFrom(service.scaling)
    update.scaling.min_instance_count = scale.min
    update.scaling.max_instance_count = scale.max
    # With manual scaling both limits would be accepted and ignored.
    update.scaling.scaling_mode = _AUTOMATIC_SCALING
    update.scaling.ClearField("manual_instance_count")


def template_of(service: Any, revision: Any) -> Any:
    """A template that makes a revision like `revision`, without its name.

    Both messages name alike what they have in common. What the system has put on the revision is
    left out: in a request it would be refused.
    """
    template = type(service.template)()
    known = template.DESCRIPTOR.fields_by_name
    for field, value in revision.ListFields():
        if field.name not in known or field.name == "revision":
            continue
        if hasattr(value, "MergeFrom"):  # messages, lists and maps
            getattr(template, field.name).MergeFrom(value)
        else:
            setattr(template, field.name, value)
    for kept in (template.labels, template.annotations):
        for key in [key for key in kept if _is_system(key)]:
            del kept[key]
    return template


def _is_system(annotation: str) -> bool:
    prefix, slash, _ = annotation.partition("/")
    return bool(slash) and any(
        prefix == system or prefix.endswith(f".{system}") for system in _SYSTEM_NAMESPACES
    )


# `traffic[]`: which revision has what, and which of them is Canary's.

LATEST = 1
REVISION = 2
"""google.cloud.run.v2.TrafficTargetAllocationType."""


class Target(msgspec.Struct, frozen=True):
    """One entry of `traffic[]`, with the revision it means (LATEST resolved) and its share."""

    revision: str
    percent: int
    tag: str
    latest: bool


def read_targets(service: Any, traffic: Any) -> tuple[Target, ...]:
    """The entries of `traffic[]` or `traffic_statuses[]`, with LATEST resolved.

    An empty list is "all to the latest ready revision", as Cloud Run takes it.
    """
    newest = short_name(service.latest_ready_revision)
    targets = tuple(
        Target(
            revision=short_name(each.revision) or (newest if each.type_ != REVISION else ""),
            percent=each.percent,
            tag=each.tag,
            latest=each.type_ == LATEST,
        )
        for each in traffic
    )
    return targets or (Target(newest, 100, "", latest=True),)


def find_candidate(candidate: str, service: Any) -> str | None:
    """The candidate revision's short name; None if its tag points nowhere.

    A candidate that begins with the service's name and a dash is a revision's name, as all of
    Cloud Run's are; anything else is a tag.
    """
    targets = read_targets(service, service.traffic)
    for target in targets:
        if target.tag == candidate:
            return target.revision or None
    known = any(target.revision == candidate for target in targets)
    named = known or candidate.startswith(f"{short_name(service.name)}-")
    return candidate if named else None

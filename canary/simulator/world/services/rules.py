"""What Cloud Run refuses in a Service before anything is changed."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from canary.simulator.wire import messages
from canary.simulator.wire.calls import ApiError, invalid

SYSTEM_NAMESPACES = (
    "run.googleapis.com",
    "serving.knative.dev",
    "autoscaling.knative.dev",
    "cloud.googleapis.com",
)
ANNOTATIONS_MOST_BYTES = 256 * 1024
MOST_INSTANCES = 1000

_TAG = re.compile(r"[a-z]([a-z0-9-]{0,44}[a-z0-9])?")
_REVISION = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


def check_service(service: Any, name: str, revisions: Collection[str]) -> None:
    """Raise ApiError INVALID_ARGUMENT if this Service cannot be wanted.

    `name` is the short name of the service, `revisions` the short names of those that exist.
    """
    _check_annotations(service.annotations, "annotations")
    _check_annotations(service.template.annotations, "template.annotations")
    _check_scaling(service.scaling, "scaling")
    _check_scaling(service.template.scaling, "template.scaling")
    _check_template(service.template, name)
    wanted = service.template.revision
    _check_traffic(service.traffic, {*revisions, wanted} if wanted else revisions)


def _violation(field: str, why: str) -> ApiError:
    return invalid(f"Violation in UpdateServiceRequest.service.{field}: {why}")


def _check_annotations(annotations: Any, field: str) -> None:
    for key in annotations:
        namespace = key.partition("/")[0]
        if namespace in SYSTEM_NAMESPACES:
            raise _violation(
                f"{field}.{key}", f"annotations in the namespace {namespace} are not supported."
            )
    size = sum(len(key.encode()) + len(text.encode()) for key, text in annotations.items())
    if size > ANNOTATIONS_MOST_BYTES:
        raise _violation(field, f"{size} bytes, must be no more than {ANNOTATIONS_MOST_BYTES}.")


def _check_scaling(scaling: Any, field: str) -> None:
    least, most = scaling.min_instance_count, scaling.max_instance_count
    for name, count in (("min_instance_count", least), ("max_instance_count", most)):
        if not 0 <= count <= MOST_INSTANCES:
            raise _violation(f"{field}.{name}", f"{count} is not in 0 to {MOST_INSTANCES}.")
    if most and least > most:
        raise _violation(
            f"{field}.min_instance_count", f"{least} is above max_instance_count, {most}."
        )


def _check_template(template: Any, name: str) -> None:
    if not template.containers:
        raise _violation("template.containers", "at least one container is required.")
    revision = template.revision
    if revision and not (revision.startswith(f"{name}-") and _REVISION.fullmatch(revision)):
        raise _violation("template.revision", f'"{revision}" must be named {name}-….')


def _check_traffic(traffic: Any, revisions: Collection[str]) -> None:
    if not traffic:
        return  # the service fills in 100 % to the latest revision
    tags: set[str] = set()
    for index, target in enumerate(traffic):
        field = f"traffic[{index}]"
        _check_target(target, field, revisions)
        if target.tag and not _TAG.fullmatch(target.tag):
            raise _violation(f"{field}.tag", f'"{target.tag}" is not a valid tag.')
        if target.tag in tags:
            raise _violation(f"{field}.tag", f'"{target.tag}" is used twice.')
        if target.tag:
            tags.add(target.tag)
    total = sum(target.percent for target in traffic)
    if total != 100:
        raise _violation("traffic", f"percents must sum to 100, found {total}.")


def _check_target(target: Any, field: str, revisions: Collection[str]) -> None:
    if not 0 <= target.percent <= 100:
        raise _violation(f"{field}.percent", f"{target.percent} is not in 0 to 100.")
    if target.type_ == messages.TO_LATEST:
        if target.revision:
            raise _violation(f"{field}.revision", "must be empty for the latest revision.")
    elif target.type_ != messages.TO_REVISION:
        raise _violation(f"{field}.type", "an allocation type is required.")
    elif target.revision not in revisions:
        raise _violation(f"{field}.revision", f'revision "{target.revision}" does not exist.')

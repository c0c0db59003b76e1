"""`traffic[]` of a Cloud Run service: which revision has what, and which of them is Canary's."""

from __future__ import annotations

from typing import Any

import msgspec

from canary.cloud.connection.clients import Connection
from canary.cloud.run.client import RunClient
from canary.cloud.run.services import short_name
from canary.rollout.plan.plan import Plan

LATEST = 1
REVISION = 2
"""google.cloud.run.v2.TrafficTargetAllocationType."""


class Target(msgspec.Struct, frozen=True):
    """One entry of `traffic[]`, with the revision it means (LATEST resolved) and its share."""

    revision: str
    percent: int
    tag: str
    latest: bool


async def read_candidate(connection: Connection, plan: Plan) -> str | None:
    """Ask Cloud Run which revision is Canary's; None if its tag points nowhere."""
    service = await RunClient(connection, plan).message(plan.router_service)
    return find_candidate(plan.target.router.candidate, service)


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

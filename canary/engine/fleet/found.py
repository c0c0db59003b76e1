"""Rollouts that no plan on this host names, found by the record that theirs carries. Pure.

The record says stage and share, not which service is Canary's: with the router `revisions` it is
the service itself, else by the usual name. What is found so is for looking only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from canary.cloud.run.listing import Place
from canary.rollout.plan.plan import Plan, Router, Target

CANARY_NAMES: Final = ("{}-canary", "{}-next", "{}-new", "canary-{}")


def find_rollouts(
    services: Mapping[Place, Any], like: Plan, known: Iterable[tuple[str, str]]
) -> list[Plan]:
    """Plans for the services that carry a record and are in none of the `known` (region, service).

    `like` gives stages, limits and the record's annotation.
    """
    taken, found = set(known), []
    for (region, name), service in sorted(services.items()):
        if like.record.annotation not in service.annotations or (region, name) in taken:
            continue
        found.append(_plan_of(region, name, service, services, like))
    return found


def _plan_of(
    region: str, name: str, service: Any, services: Mapping[Place, Any], like: Plan
) -> Plan:
    """As the record's service looks: a tag of Canary's, or a service of Canary's beside it."""
    other = next((c for form in CANARY_NAMES if (region, c := form.format(name)) in services), None)
    tags = {target.tag for target in service.traffic} | {t.tag for t in service.traffic_statuses}
    base = like.target
    if other is None or base.router.candidate in tags:
        router = Router(kind="revisions", service=name, candidate=base.router.candidate)
        canary = name if other is None else other
    else:
        router, canary = Router(kind="env", service=name, variable=base.router.variable), other
    target = Target(
        project=base.project,
        region=region,
        legacy=name,
        canary=canary,
        router=router,
        endpoints=base.endpoints,
    )
    # A Prometheus is told each side's labels by a plan, and there is none for this rollout.
    metrics = msgspec.structs.replace(like.metrics, source="monitoring")
    return msgspec.structs.replace(like, target=target, metrics=metrics)

"""The four ways to carry a split, on one embedded cloud, and who else may touch it there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from canary.cloud.router.choice import open_router
from canary.rollout.plan.plan import Plan
from canary.simulator.world.url_maps import UrlMaps
from tests.cloud.router.test_url_map_split import MAP_PLAN
from tests.embedded import DEFAULT_PLAN, Embedded, with_router


def quick(plan: Plan) -> Plan:
    """Shorter windows: a third of the minutes to draw and to read; nothing else is different."""
    return msgspec.structs.replace(
        plan,
        metrics=msgspec.structs.replace(plan.metrics, criteria_window_minutes=15),
        alerts=msgspec.structs.replace(plan.alerts, watch_minutes=15),
    )


PLANS: Final[Mapping[str, Plan]] = {
    "env": quick(DEFAULT_PLAN),
    "revisions": quick(with_router(DEFAULT_PLAN, kind="revisions", candidate="canary")),
    "url-map": quick(MAP_PLAN),
    "command": quick(with_router(DEFAULT_PLAN, kind="command", set=("set", "{percent}"))),
}

EDITS: Final = ((5, 25, 100), (10, 50, 100), (5, 10, 25, 50, 100))
"""Shares of the stages of a plan that somebody has edited."""

PROGRAM: Final = """#!/bin/sh
# A team's own program: it sets or reads the weights of the embedded cloud's URL map.
found=$(curl -sf "{url}" | tr -d ' \\n') || exit 1
if [ "$1" = read ]; then
    printf '%s' "$found" | sed 's/.*"weight":\\([0-9]*\\)0}}.*/\\1/; s/^$/0/'
    exit
fi
print=$(printf '%s' "$found" | sed 's/.*"fingerprint":"\\([^"]*\\)".*/\\1/')
base=projects/naeda-genesis/global/backendServices
curl -sf -X PATCH "{url}" -d '{{"fingerprint":"'$print'","defaultRouteAction":
{{"weightedBackendServices":[
{{"backendService":"'$base'/ion-api-backend","weight":'$((1000 - $2 * 10))'}},
{{"backendService":"'$base'/ion-api-canary-backend","weight":'$(($2 * 10))'}}]}}}}' >/dev/null
"""


def with_shares(plan: Plan, shares: tuple[int, ...]) -> Plan:
    """The plan with these shares for its stages, each as the one of its place was."""
    kept = plan.stages
    stages = tuple(
        msgspec.structs.replace(kept[min(index, len(kept) - 1)], percent=percent)
        for index, percent in enumerate(shares)
    )
    return msgspec.structs.replace(plan, stages=stages)


def routed_otherwise(plan: Plan, how: str = "other") -> Plan:
    """A plan of the same rollout that writes its record elsewhere, so that it routes otherwise."""
    record = msgspec.structs.replace(plan.record, annotation=f"{plan.record.annotation}-{how}")
    return msgspec.structs.replace(plan, record=record)


def install_program(cloud: Embedded, directory: Path) -> None:
    """Write the team's program, and have the cloud's plan and adapters use it."""
    program = directory / "share"
    url = f"{cloud.control_url}/compute/v1/projects/naeda-genesis/global/urlMaps/ion-api-map"
    program.write_text(PROGRAM.format(url=url))
    program.chmod(0o700)
    share = str(program)
    cloud.plan = with_router(
        cloud.plan, kind="command", set=(share, "set", "{percent}"), read=(share, "read")
    )
    cloud.router = open_router(cloud.plan, cloud.connection)
    cloud.run = cloud.writer = cloud.router


def has_map(plan: Plan) -> bool:
    """Whether the weights of a URL map are the split."""
    return plan.target.router.kind in ("url-map", "command")


def url_maps_of(cloud: Embedded) -> UrlMaps:
    """The embedded cloud's own keeper of URL maps."""
    settlers: list[Any] = cloud.world._settlers
    found = [one.__self__ for one in settlers if isinstance(one.__self__, UrlMaps)]
    return found[0]


def change_by_others(cloud: Embedded, percent: int) -> None:
    """Somebody with gcloud."""
    if not has_map(cloud.plan):
        cloud.apis.changes.change_by_others(percent)
        return
    maps = url_maps_of(cloud)
    assert maps._kept is not None
    # While a change of the map is under way, Compute Engine takes no other.
    if all(one.done for one in maps._kept.operations):
        maps._change_by_others(maps._kept, percent)

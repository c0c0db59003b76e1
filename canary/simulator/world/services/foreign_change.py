"""Somebody else's hand on the split: what the scenario `conflict` puts into the service."""

from __future__ import annotations

from typing import Any

from canary.simulator.wire import messages
from canary.simulator.world.services.run_state import RunState
from canary.simulator.world.services.status import tagged_revision
from canary.simulator.world.world import World

OTHER_PERCENT_STEP = 5
"""The second foreign change differs from the first by so many percent."""


def foreign_version(world: World, state: RunState, percent: int) -> Any | None:
    """Return the service that holds the split with another share, annotations untouched.

    None when that service is gone, or has no Canary to send requests to.
    """
    router, config = world.config.router, world.config
    holder = config.legacy if router.kind == "revisions" else router.service
    current = state.services.get(holder)
    if current is None:
        return None
    wanted = messages.Service()
    wanted.CopyFrom(current)
    if router.kind == "env":
        _set_variable(wanted, router.variable, str(percent))
        return wanted
    canary = tagged_revision(current, router.canary_tag)
    return None if canary is None else _set_traffic(wanted, router.canary_tag, percent)


def _set_variable(service: Any, variable: str, value: str) -> None:
    service.template.revision = ""
    for entry in service.template.containers[0].env:
        if entry.name == variable:
            entry.value = value
            return
    service.template.containers[0].env.add(name=variable, value=value)


def _set_traffic(service: Any, tag: str, percent: int) -> Any | None:
    left = 100 - percent
    for target in service.traffic:
        # All of the rest goes to the first target that isn't Canary.
        target.percent = percent if target.tag == tag else left
        left = left if target.tag == tag else 0
    return service if sum(target.percent for target in service.traffic) == 100 else None

"""What the services' settled state means for the traffic: events of the timeline."""

from __future__ import annotations

from typing import Any

from canary.simulator.config import SideName
from canary.simulator.world.services.revisions import environment
from canary.simulator.world.services.run_state import RunState
from canary.simulator.world.services.status import served_percents, tagged_revision
from canary.simulator.world.timeline import NewRevision, Scale, Split
from canary.simulator.world.world import World

DEFAULT_MOST = 100
"""Instances when no maximum is set, as on Cloud Run."""


def append_effects(world: World, state: RunState, wanted: Any, at: float) -> None:
    """Append to the timeline what changed when `wanted` settled; nothing if nothing did."""
    name = wanted.name.rpartition("/")[2]
    _append_scale(world, wanted, name, at)
    serving = _serving(world, state, name)
    for side, revision in serving.items():
        before = world.timeline.revision_at(at, side)
        if before is None or before.revision != revision:
            world.append(NewRevision(at, name, revision, side))
    percent = canary_percent(world, state)
    if percent is not None and percent != world.timeline.split_at(at):
        world.append(Split(at, percent))


def canary_percent(world: World, state: RunState) -> int | None:
    """Return the share of Canary that is really served, or None when its holder is gone.

    With the router `url-map` no service holds it.

    With the router `env` the code reads a variable, per revision: a value that is no number in
    0…100 counts as 0 there, as the team's own router has it.
    """
    router, config = world.config.router, world.config
    if router.kind == "url-map":
        return None
    if router.kind == "revisions":
        service = state.services.get(config.legacy)
        canary = None if service is None else _canary_revision(world, service)
        return None if service is None else served_percents(service).get(canary or "", 0)
    service = state.services.get(router.service)
    if service is None:
        return None
    revisions = state.revisions[router.service]
    share = sum(
        percent * _number(environment(revisions[name], router.variable))
        for name, percent in served_percents(service).items()
        if name in revisions
    )
    return round(share / 100)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 <= value <= 100 else 0.0


def _canary_revision(world: World, service: Any) -> str | None:
    tagged = tagged_revision(service, world.config.router.canary_tag)
    if tagged is not None:
        return tagged
    # Somebody took the tag away: Canary is still the revision that carried it last.
    event = world.timeline.revision_at(world.clock.now(), "canary")
    return None if event is None else event.revision


def _serving(world: World, state: RunState, name: str) -> dict[SideName, str]:
    """Return the revision that serves each side of this service now."""
    config, service = world.config, state.services[name]
    percents = served_percents(service)
    if config.router.kind != "revisions":
        main = max(percents, key=lambda revision: percents[revision], default=None)
        sides: dict[str, SideName] = {config.legacy: "legacy", config.canary: "canary"}
        side = sides.get(name)
        return {side: main} if side and main else {}
    canary = _canary_revision(world, service)
    others = {name: percent for name, percent in percents.items() if name != canary and percent}
    serving: dict[SideName, str] = {"canary": canary} if canary else {}
    if others:
        serving["legacy"] = max(others, key=lambda revision: others[revision])
    return serving


def _append_scale(world: World, wanted: Any, name: str, at: float) -> None:
    scaling, of_revision = wanted.scaling, wanted.template.scaling
    least = max(scaling.min_instance_count, of_revision.min_instance_count)
    limits = [n for n in (scaling.max_instance_count, of_revision.max_instance_count) if n]
    most = max(min(limits, default=DEFAULT_MOST), least)
    if (least, most) != world.timeline.scale_at(at, name):
        world.append(Scale(at, name, least, most))

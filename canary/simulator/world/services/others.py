"""What other hands do to a service: somebody who sets the share, CI that deploys, an operator.

Each function returns the service as it is wanted, or None where there is nothing of the kind to do;
annotations are never looked at.

Facts: a deploy with `--no-traffic --tag T` moves the tag, binds the traffic to the revisions that
have it, and the revision that had the tag keeps its percent (google-github-actions/
deploy-cloudrun#529, #466).
"""

from __future__ import annotations

import json
import re
from typing import Any

from canary.simulator.wire import messages
from canary.simulator.wire.messages import short_name
from canary.simulator.world.services.resources import served_percents, tagged_revision
from canary.simulator.world.services.state import RunState
from canary.simulator.world.traffic.scenarios import Act
from canary.simulator.world.world import World

_NUMBER = re.compile(r"-(\d{5})-[a-z]{2,4}$")
_IMAGE_TAG = re.compile(r"(:[\w.-]+)?(@sha256:[0-9a-f]+)?$")


def foreign_version(world: World, state: RunState, percent: int) -> Any | None:
    """Return the service that holds the split with another share.

    None when that service is gone, or has no Canary to send requests to.
    """
    router = world.config.router
    wanted = _copy_of(state, _holder(world))
    if wanted is None:
        return None
    if router.has_variable:
        _set_variable(wanted, router.variable, str(percent))
        return wanted
    canary = tagged_revision(wanted, router.canary_tag)
    return None if canary is None else _set_traffic(wanted, router.canary_tag, percent)


def acted_version(world: World, state: RunState, act: Act) -> Any | None:
    """Return the service after `gcloud run services update-traffic` or `gcloud run deploy`."""
    if act == "pin":
        return _pinned(_copy_of(state, _holder(world)))
    if act == "stand":
        percent = world.scenario.current(world.clock.now()).params["percent"]
        return _stood(world, state, foreign_version(world, state, round(percent)))
    if act == "move_tag":
        return _deployed_aside(world, _copy_of(state, _holder(world)), state)
    shared = world.config.router.shares_one_service
    name = world.config.legacy if shared else world.config.canary
    return _deployed(world, _copy_of(state, name), state)


def _canary_revision(world: World, state: RunState, wanted: Any) -> str:
    """What serves Canary now; "" where nothing does."""
    if world.config.router.shares_one_service:
        return tagged_revision(wanted, world.config.router.canary_tag) or ""
    canary = state.services.get(world.config.canary)
    return "" if canary is None else short_name(canary.latest_ready_revision)


def _stood(world: World, state: RunState, wanted: Any | None) -> Any | None:
    """A colleague's console: the share and the record in one update, as ours sets them."""
    name = world.config.annotation
    if wanted is None or name not in wanted.annotations:
        return None
    scenario = world.scenario.current(world.clock.now())
    stage, percent = (round(scenario.params[key]) for key in ("stage", "percent"))
    record = json.loads(wanted.annotations[name])
    before = {"previous_stage": record.get("stage"), "previous_percent": record.get("percent")}
    wanted.annotations[name] = json.dumps(
        before
        | {
            "stage": stage,
            "percent": percent,
            "entered_at": scenario.since - scenario.params["hours"] * 3600.0,
            "by": "colleague",
            "host": "bastion-1",
            "change": f"colleague-{scenario.since:.0f}",
            "move": "promote",
            "revision": _canary_revision(world, state, wanted),
        },
        separators=(",", ":"),
    )
    return wanted


def _holder(world: World) -> str:
    router = world.config.router
    return world.config.legacy if router.shares_one_service else router.service


def _copy_of(state: RunState, name: str) -> Any | None:
    current = state.services.get(name)
    if current is None:
        return None
    wanted = messages.Service()
    wanted.CopyFrom(current)
    return wanted


def _pinned(wanted: Any | None) -> Any | None:
    """`update-traffic --to-revisions`: what serves now is named, tags stay."""
    if wanted is None:
        return None
    _name_traffic(wanted, besides="")
    return wanted


def _deployed_aside(world: World, wanted: Any | None, state: RunState) -> Any | None:
    """`deploy --no-traffic --tag canary`: a revision that serves nobody, and has the tag."""
    if wanted is None:
        return None
    tag = world.config.router.canary_tag
    _name_traffic(wanted, besides=tag)
    revision = _new_revision(wanted, state)
    wanted.traffic.add(type_=messages.TO_REVISION, revision=revision, percent=0, tag=tag)
    return wanted


def _deployed(world: World, wanted: Any | None, state: RunState) -> Any | None:
    """`deploy`: another revision of Canary's, which serves what the one before it served."""
    if wanted is None:
        return None
    tag = world.config.router.canary_tag
    before = tagged_revision(wanted, tag) if world.config.router.shares_one_service else None
    revision = _new_revision(wanted, state)
    for target in wanted.traffic:
        if before is not None and before in (target.revision, tagged_revision(wanted, target.tag)):
            target.type_, target.revision = messages.TO_REVISION, revision
    return wanted


def _name_traffic(wanted: Any, besides: str) -> None:
    """Bind the traffic to the revisions that have it; `besides`: a tag that is left out."""
    tags = {
        target.tag: tagged_revision(wanted, target.tag) or target.revision
        for target in wanted.traffic
        if target.tag and target.tag != besides
    }
    shares = {name: percent for name, percent in served_percents(wanted).items() if percent}
    del wanted.traffic[:]
    for name, percent in shares.items():
        wanted.traffic.add(type_=messages.TO_REVISION, revision=name, percent=percent)
    for tag, name in tags.items():
        entry = next((t for t in wanted.traffic if t.revision == name and not t.tag), None)
        if entry is None:
            wanted.traffic.add(type_=messages.TO_REVISION, revision=name, percent=0, tag=tag)
        else:
            entry.tag = tag


def _new_revision(wanted: Any, state: RunState) -> str:
    """Let the template be another one; return the name of the revision that it makes."""
    service = short_name(wanted.name)
    numbers = [int(m.group(1)) for r in state.revisions[service] if (m := _NUMBER.search(r))]
    number = max(numbers, default=0) + 1
    container = wanted.template.containers[0]
    container.image = _IMAGE_TAG.sub(f":v{number}", container.image, count=1)
    wanted.template.revision = f"{service}-{number:05d}-ci"
    return str(wanted.template.revision)


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

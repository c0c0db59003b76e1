"""The end of operations: when their time has come, what was wanted becomes what is served.

What that means for the traffic are events of the timeline.
"""

from __future__ import annotations

from typing import Any

from canary.simulator.config import SideName
from canary.simulator.wire import messages
from canary.simulator.wire.messages import short_name
from canary.simulator.world.services.resources import (
    environment,
    finish_revision,
    is_ready,
    mark_active,
    served_percents,
    show_failed,
    show_settled,
    tagged_revision,
)
from canary.simulator.world.services.services import ServiceChanges
from canary.simulator.world.services.state import OperationRecord, RunState
from canary.simulator.world.timeline import Affinity, NewRevision, Removed, Scale, Split
from canary.simulator.world.world import World

_NOT_FOUND, _FAILED_PRECONDITION, _INTERNAL = 5, 9, 13  # google.rpc.Code
_NOT_READY = (
    "Revision '{revision}' is not ready and cannot serve traffic. The user-provided container "
    "failed to start and listen on the port defined provided by the PORT=8080 environment "
    "variable within the allocated timeout."
)
_BROKEN = "An internal error has occurred while the change was applied."


class Settlement:
    """Settles what is due. Registered with `World.on_settle`, so it is called all the time."""

    def __init__(self, world: World, state: RunState, changes: ServiceChanges) -> None:
        self._world = world
        self._state = state
        self._changes = changes

    def settle(self, now: float) -> None:
        """Let the scenario's other person act, and finish every operation that is due by now."""
        scenario = self._world.scenario.current(now)
        marks = self._state.marks
        if scenario.foreign_change_due and marks.get("due") != scenario.since:
            marks["due"] = scenario.since
            self._changes.change_by_others(scenario.foreign_percent)
        if scenario.act is not None and marks.get("act") != scenario.since:
            marks["act"] = scenario.since
            self._changes.act_by_others(scenario.act)
        changed = False
        for record in self._state.pending():
            if record.settles_at is None and scenario.operation_mode != "stuck":
                record.settles_at, changed = now + record.takes_s, True
            elif record.settles_at is not None and record.settles_at <= now:
                self._finish(record, record.settles_at)
                changed = True
        if changed:
            self._state.save(self._world.saved)
            self._world.save()

    def _finish(self, record: OperationRecord, at: float) -> None:
        record.done = True
        service = self._state.services.get(record.service)
        if service is None:
            _fail(record, _NOT_FOUND, f"Service '{record.service}' was deleted meanwhile.")
        elif record.kind == "delete":
            self._finish_delete(record, service, at)
        else:
            self._finish_update(record, service, at)

    def _finish_update(self, record: OperationRecord, service: Any, at: float) -> None:
        wanted = messages.Service.FromString(record.wanted)
        revisions = self._state.revisions[record.service]
        latest = short_name(wanted.latest_created_revision)
        made = revisions.get(latest)
        starting = made is not None and made.reconciling
        if record.fails:
            text = _NOT_READY.format(revision=latest) if starting else _BROKEN
            if starting:
                finish_revision(made, at, text)
            show_failed(service, wanted, text, at)
            _fail(record, _FAILED_PRECONDITION if starting else _INTERNAL, text)
            return
        if starting:
            finish_revision(made, at)
        unready = self._unready_target(wanted, revisions)
        if unready is not None:
            text = _NOT_READY.format(revision=unready)
            show_failed(service, wanted, text, at)
            _fail(record, _FAILED_PRECONDITION, text)
            return
        ready = made is not None and is_ready(made)
        latest_ready = wanted.latest_created_revision if ready else service.latest_ready_revision
        show_settled(service, wanted, latest_ready, at)
        self._mark_active(service, at)
        append_effects(self._world, self._state, wanted, at)
        record.result = service.SerializeToString()

    def _unready_target(self, wanted: Any, revisions: dict[str, Any]) -> str | None:
        for target in wanted.traffic:
            revision = revisions.get(target.revision)
            if target.revision and (revision is None or not is_ready(revision)):
                return str(target.revision)
        return None

    def _mark_active(self, service: Any, at: float) -> None:
        percents = served_percents(service)  # a tag alone keeps a revision active too
        for name, revision in self._state.revisions[short_name(service.name)].items():
            if is_ready(revision):
                mark_active(revision, name in percents, at)

    def _finish_delete(self, record: OperationRecord, service: Any, at: float) -> None:
        if record.fails:
            service.ClearField("delete_time")
            _fail(record, _INTERNAL, _BROKEN)
            return
        del self._state.services[record.service]
        del self._state.revisions[record.service]
        del self._state.templates[record.service]
        self._world.append(Removed(at, record.service))
        record.result = record.wanted


def _fail(record: OperationRecord, code: int, message: str) -> None:
    record.error_code, record.error_message = code, message


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
    sticks = any(
        revision is not None and revision.session_affinity
        for revision in (state.revisions[name].get(one) for one in serving.values())
    )
    # Between two services Cloud Run's affinity has no say in who takes a request.
    splits = bool(serving) and world.config.router.shares_one_service
    if splits and sticks != world.timeline.regime_at(at).affinity:
        world.append(Affinity(at, on=sticks))
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
    if router.has_url_map:
        return None
    if router.shares_one_service:
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
    if not config.router.shares_one_service:
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

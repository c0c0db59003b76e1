"""What really took effect in the cloud, written down at the cloud itself, in the order it came."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from canary.cloud.router.intent import intent_key
from canary.cloud.router.url_map import read_record
from canary.rollout.change.stage_record import StageRecord, decode_record
from canary.simulator.wire.messages import short_name
from canary.simulator.world.url_map_rules import percent_of
from tests.chaos.routers import has_map, url_maps_of
from tests.embedded import Embedded

OTHERS = ""
"""The "change" of somebody who uses no console."""


class Effect(NamedTuple):
    """One update that was accepted: of the split (`percent`, `before` it was), or of a scale
    (both None).
    """

    change: str
    percent: int | None
    at: float
    move: str = ""
    before: int | None = None


class Ledger:
    """Listens where the embedded cloud accepts changes; it changes nothing."""

    def __init__(self, cloud: Embedded) -> None:
        self.effects: list[Effect] = []
        self._cloud = cloud
        self._is_by_others = False
        changes = cloud.apis.changes
        self._update, self._by_others = changes.update, changes.change_by_others
        # On the instance: the APIs hold this very object.
        changes.update = self._hear_update
        changes.change_by_others = self._hear_others
        if has_map(cloud.plan):
            maps = url_maps_of(cloud)
            self._apply, self._map_by_others = maps._apply, maps._change_by_others
            maps._apply = self._hear_map  # type: ignore[method-assign]
            maps._change_by_others = self._hear_map_others  # type: ignore[method-assign]

    @property
    def splits(self) -> list[Effect]:
        return [effect for effect in self.effects if effect.percent is not None]

    @property
    def scales(self) -> int:
        return sum(effect.percent is None for effect in self.effects)

    def _hear_update(self, request: Any, author: str = "") -> Any:
        name = short_name(request.service.name)
        was = self._record_text(self._cloud.apis.state.services[name])
        before = None if request.validate_only else percent_stored(self._cloud)
        answer = self._update(request, author)
        if not request.validate_only:
            effect = self._effect(request, was, before)
            if effect is not None:
                self.effects.append(effect)
        return answer

    def _hear_others(self, percent: int) -> None:
        before = stored_service(self._cloud).generation
        self._by_others(percent)
        # With all on one revision there is nothing that they could share out.
        if stored_service(self._cloud).generation != before:
            self.effects.append(Effect(OTHERS, percent, self._cloud.now))

    def _hear_map_others(self, kept: Any, percent: int) -> None:
        """Theirs, whosever intent lies on the service, and whatever share it names."""
        self._is_by_others = True
        try:
            self._map_by_others(kept, percent)
        finally:
            self._is_by_others = False

    def _hear_map(self, kept: Any, document: dict[str, Any], at: float) -> None:
        router = self._cloud.world.config.router
        was, now = percent_of(kept.document, router), percent_of(document, router)
        record, known = (self._record_in(each) for each in (document, kept.document))
        self._apply(kept, document, at)
        if record is not None and record != known:
            effect = Effect(record.change, now, self._cloud.now, record.move, was)
        elif was != now:
            effect = self._of_program(now, was)
        else:
            return
        self.effects.append(effect)

    def _of_program(self, now: int, was: int) -> Effect:
        """Weights without a record: of the team's program where one was begun, else of others."""
        if self._is_by_others:
            return Effect(OTHERS, now, self._cloud.now)
        text = stored_service(self._cloud).annotations.get(intent_key(self._cloud.plan), "")
        intent = decode_record(text) if text else None
        if intent is None or intent.percent != now:
            return Effect(OTHERS, now, self._cloud.now)
        return Effect(intent.change, now, self._cloud.now, intent.move, was)

    def _effect(self, request: Any, was: str, before: int | None) -> Effect | None:
        if "annotations" not in request.update_mask.paths:
            return Effect("scale", None, self._cloud.now)
        text = self._record_text(request.service)
        if text == was:
            return None  # an intent of the router `command`
        record: StageRecord = decode_record(text)
        if has_map(self._cloud.plan) and any(e.change == record.change for e in self.effects):
            return None  # the program has done it; this is its record
        return Effect(record.change, record.percent, self._cloud.now, record.move, before)

    def _record_text(self, service: Any) -> str:
        return str(service.annotations.get(self._cloud.plan.record.annotation, ""))

    def _record_in(self, document: dict[str, Any]) -> StageRecord | None:
        text = document.get("description", "")
        return read_record(text, self._cloud.plan.record.annotation)[0]


def stored_service(cloud: Embedded) -> Any:
    """The service that carries the split, or stands for it, as the cloud itself has it."""
    return cloud.apis.state.services[short_name(cloud.plan.router_service)]


def percent_stored(cloud: Embedded) -> int:
    """Canary's share as the cloud itself has it set."""
    plan = cloud.plan
    if has_map(plan):
        maps = url_maps_of(cloud)
        assert maps._kept is not None
        return percent_of(maps._kept.document, cloud.world.config.router)
    service = stored_service(cloud)
    if plan.target.shares_one_service:
        return sum(t.percent for t in service.traffic if t.tag == plan.target.router.candidate)
    variables = {v.name: v.value for v in service.template.containers[0].env}
    return int(variables[plan.target.router.variable])


def stored_change(cloud: Embedded) -> str:
    """Whose record is kept now; "" for none, or the one it began with."""
    annotation = cloud.plan.record.annotation
    if cloud.plan.target.router.kind == "url-map":
        maps = url_maps_of(cloud)
        assert maps._kept is not None
        record, _ = read_record(maps._kept.document.get("description", ""), annotation)
        return record.change if record is not None else ""
    text = stored_service(cloud).annotations.get(annotation, "")
    return msgspec.json.decode(text).get("change", "") if text else ""


def split_sums(cloud: Embedded) -> list[int]:
    """What each split adds up to, wanted and served; the router `env` has none of its own."""
    service = stored_service(cloud)
    sums = [
        sum(t.percent for t in service.traffic),
        sum(t.percent for t in service.traffic_statuses),
    ]
    percent = cloud.world.timeline.split_at(cloud.now)
    return [*sums, percent + (100 - percent) if 0 <= percent <= 100 else -1]

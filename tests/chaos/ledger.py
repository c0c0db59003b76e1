"""What really took effect in the cloud, written down at the cloud itself, in the order it came."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from canary.rollout.change.stage_record import StageRecord, decode_record
from canary.simulator.wire.messages import short_name
from tests.embedded import Embedded

OTHERS = ""
"""The "change" of somebody who uses no console."""


class Effect(NamedTuple):
    """One update that was accepted: of the split (`percent`), or of a scale (None)."""

    change: str
    percent: int | None
    at: float
    move: str = ""


class Ledger:
    """Listens where the embedded cloud accepts changes; it changes nothing."""

    def __init__(self, cloud: Embedded) -> None:
        self.effects: list[Effect] = []
        self._cloud = cloud
        changes = cloud.apis.changes
        self._update, self._by_others = changes.update, changes.change_by_others
        # On the instance: the APIs hold this very object.
        changes.update = self._hear_update
        changes.change_by_others = self._hear_others

    @property
    def splits(self) -> list[Effect]:
        return [effect for effect in self.effects if effect.percent is not None]

    @property
    def scales(self) -> int:
        return sum(effect.percent is None for effect in self.effects)

    def _hear_update(self, request: Any, author: str = "") -> Any:
        answer = self._update(request, author)
        if not request.validate_only:
            self.effects.append(self._effect(request))
        return answer

    def _hear_others(self, percent: int) -> None:
        before = stored_service(self._cloud).generation
        self._by_others(percent)
        # With all on one revision there is nothing that they could share out.
        if stored_service(self._cloud).generation != before:
            self.effects.append(Effect(OTHERS, percent, self._cloud.now))

    def _effect(self, request: Any) -> Effect:
        if "annotations" not in request.update_mask.paths:
            return Effect("scale", None, self._cloud.now)
        text = request.service.annotations[self._cloud.plan.record.annotation]
        record: StageRecord = decode_record(text)
        return Effect(record.change, record.percent, self._cloud.now, record.move)


def stored_service(cloud: Embedded) -> Any:
    """The service that carries the split, as the cloud itself has it."""
    return cloud.apis.state.services[short_name(cloud.plan.router_service)]


def stored_change(cloud: Embedded) -> str:
    """Whose record is on the service now; "" for none, or the one it began with."""
    text = stored_service(cloud).annotations.get(cloud.plan.record.annotation, "")
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

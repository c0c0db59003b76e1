"""A counterexample of the model, played on the embedded cloud with the product as it is."""

from __future__ import annotations

from pathlib import Path

import msgspec

from canary.engine.change.execute import carry_out
from canary.rollout.change.change import Change, Outcome, SetScale
from canary.rollout.change.stage_record import StageRecord, encode_record
from canary.rollout.plan.plan import Plan, ScalePreset
from canary.store.journal import Journal
from tests.cloud.router.test_url_map_split import MAP_PLAN
from tests.embedded import DEFAULT_PLAN, Embedded
from tests.engine.carried import PACE, standing_of
from tests.search.asking import build
from tests.search.search import SHARES, Violation
from tests.search.world import with_stages


def plan_of(*, carrier: bool, edited: bool = False) -> Plan:
    """The plan of the search; the split is carried by Legacy, or by a URL map."""
    return with_stages(DEFAULT_PLAN if carrier else MAP_PLAN, *SHARES[edited])


def config_of(violation: Violation) -> dict[str, object]:
    """How the embedded cloud begins."""
    stage, percent, by, move = violation.beginning.record
    record = encode_record(StageRecord(stage, percent, 1.0, change=by, move=move))
    return {"stage": stage, "percent": violation.beginning.percent, "record": record, "http": True}


class Replay:
    """People by name on one cloud; `begin` makes the sides as they are to be."""

    def __init__(self, cloud: Embedded, directory: Path) -> None:
        self._cloud = cloud
        self._journal = Journal(directory / "journal.db")
        self._asked: dict[str, Change] = {}

    async def scale(self, legacy: tuple[int, int]) -> None:
        """Legacy as it is in the beginning."""
        target = self._cloud.plan.target
        await self._cloud.writer.send(SetScale(target.legacy, None, ScalePreset(*legacy)))
        self._cloud.advance(60.0)

    async def ask(self, name: str, kind: str) -> None:
        """Open a question; what cannot be asked is not."""
        standing = await standing_of(self._cloud)
        change = build(self._cloud.plan, standing, kind, name, frozenset())
        if change is not None:
            self._asked[name] = change

    def meddle(self, what: str) -> None:
        """Somebody with gcloud, or with an editor."""
        if what == "edit the plan":
            stages = with_stages(self._cloud.plan, *SHARES[1]).stages
            self._cloud.plan = msgspec.structs.replace(self._cloud.plan, stages=stages)
        else:
            self._cloud.apis.changes.change_by_others(int(what.split()[1]))
            self._cloud.advance(60.0)

    async def carry_out(self, name: str) -> Outcome | None:
        """The person says y; None where nothing could be asked."""
        change = self._asked.get(name)
        if change is None:
            return None

        async def sleep(pause_s: float) -> None:
            self._cloud.advance(1.0 if pause_s else 0.0)

        self._journal.intend(change)
        cloud = self._cloud
        clients = (cloud.writer, cloud.run, self._journal, cloud.clock)
        return await carry_out(change, *clients, plan=cloud.plan, pace=PACE, sleep=sleep)

    async def holds(self) -> bool:
        """I1, as it is now."""
        target, plan = self._cloud.plan.target, self._cloud.plan
        split = await self._cloud.run.service(plan.router_service)
        legacy = await self._cloud.run.service(target.legacy)
        backup = legacy.limits is not None and legacy.limits.max <= plan.scale.backup.max
        return split.percent == 100 or not backup

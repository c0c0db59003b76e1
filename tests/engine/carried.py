"""Changes carried out against the embedded cloud, looked up on a clock that is moved by hand."""

from pathlib import Path
from typing import Any

from canary.cloud.views import ServiceState
from canary.engine.change.execute import carry_out
from canary.engine.change.settling import Pace
from canary.engine.observe.position import is_in_doubt
from canary.rollout.change import moves
from canary.rollout.change.change import Author, Change, Guard, Outcome, Request, Standing
from canary.rollout.plan.plan import ScalePreset
from canary.store.journal import Journal
from tests.embedded import Embedded

AUTHOR = Author("oncall", "bastion")
PACE = Pace(looks=12)


async def standing_of(cloud: Embedded) -> Standing:
    target = cloud.plan.target
    state = await cloud.run.service(cloud.plan.router_service)
    legacy = await cloud.run.service(target.legacy)
    stage = state.record.stage if state.record is not None else 0
    shared = target.shares_one_service
    canary = legacy if shared else await cloud.run.service(target.canary)
    record = state.record.change if state.record is not None else ""
    guard = Guard(
        state.name,
        state.etag,
        state.percent,
        canary.revision,
        record,
        bool(state.pinned),
        state.place,
    )
    return Standing(
        stage,
        state.percent,
        guard,
        state.record,
        legacy.scale,
        canary.scale,
        served=state.served_percent,
        in_doubt=is_in_doubt(cloud.plan, state),
        limits_legacy=legacy.limits,
        limits_canary=canary.limits,
        others=state.others,
        hold=state.hold,
    )


async def ask(cloud: Embedded, kind: str, change_id: str = "c1", **fields: Any) -> Change:
    """A change of `kind` from where the rollout stands now."""
    standing = await standing_of(cloud)
    request = Request(change_id, AUTHOR, cloud.now, **fields)
    if kind == "scale":
        return moves.scale(cloud.plan, standing, request, "canary", ScalePreset(2, 7))
    return getattr(moves, kind)(cloud.plan, standing, request)


async def carry(
    cloud: Embedded,
    journal: Journal,
    change: Change,
    *,
    stage_file: Path | None = None,
    may_send: bool = True,
    step_s: float = 1.0,
    between: Any = None,
    pace: Pace = PACE,
) -> Outcome:
    """Carry it out; each pause is `step_s` cloud seconds, no real ones, and runs `between`."""

    async def sleep(pause_s: float) -> None:
        if pause_s > 0:
            cloud.advance(step_s)
        if between is not None:
            await between()

    journal.intend(change)
    return await carry_out(
        change,
        cloud.writer,
        cloud.run,
        journal,
        cloud.clock,
        plan=cloud.plan,
        stage_file=stage_file,
        may_send=may_send,
        pace=pace,
        sleep=sleep,
    )


async def router_service(cloud: Embedded) -> ServiceState:
    return await cloud.run.service(cloud.plan.router_service)

"""Changes as data: what is to become true, from what, why, and what guards it.

A Change is built by the functions below from a Snapshot's facts, shown in the confirm strip,
written to the journal as the intent, and carried out by the executor. Nothing else changes the
cloud.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from canary.rollout.errors import UsageError
from canary.rollout.plan import Plan, ScalePreset
from canary.rollout.progress import Move, StageRecord, check_transition

Kind = Literal["promote", "step_back", "rollback_all", "adopt", "revert", "scale"]
OutcomeState = Literal["done", "failed", "refused", "unknown", "not_begun", "abandoned"]
Side = Literal["legacy", "canary"]


class Guard(msgspec.Struct, frozen=True):
    """What the change was decided on: if the world differs when it is sent, it is refused.

    `etag` is the service's when the strip opened; `percent` Canary's share then (None unknown).
    """

    service: str
    etag: str
    percent: int | None
    revision: str = ""


class SetTraffic(msgspec.Struct, frozen=True, tag="set_traffic"):
    """Set Canary's share to `percent` and write `record`, in one guarded update.

    `before_percent` None: not known. When only the record changes (adopt) the two are equal.
    """

    service: str
    before_percent: int | None
    percent: int
    record: StageRecord
    guard: Guard


class SetScale(msgspec.Struct, frozen=True, tag="set_scale"):
    """Set the least and most instances of a service (service level: no new revision)."""

    service: str
    before: ScalePreset | None
    after: ScalePreset


Step = SetTraffic | SetScale


class Evidence(msgspec.Struct, frozen=True):
    """The numbers on the screen when the change was asked for; None is "no data"."""

    verdict: str = ""
    requests: int | None = None
    error_ratio: float | None = None
    success_ratio: float | None = None
    p95_ms: float | None = None
    confidence: float | None = None
    data_age_s: float | None = None
    gates_unmet: tuple[str, ...] = ()


class Author(msgspec.Struct, frozen=True):
    """Who asks: the user and host the console runs on."""

    user: str
    host: str

    def __str__(self) -> str:
        return f"{self.user}@{self.host}"


class Change(msgspec.Struct, frozen=True):
    """One confirmed wish. `steps` are carried out in order; the first that fails ends it.

    `from_stage`/`to_stage` are None for a scale. `forced`: gates were overridden, with the `reason`
    that was given; `evidence.gates_unmet` names them. `created_at` is the cloud's time.
    """

    id: str
    kind: Kind
    rollout: str
    steps: tuple[Step, ...]
    author: Author
    created_at: float
    from_stage: int | None = None
    to_stage: int | None = None
    reason: str = ""
    forced: bool = False
    evidence: Evidence = Evidence()


class Outcome(msgspec.Struct, frozen=True):
    """How a change ended: what happened, what is true now, what to do."""

    state: OutcomeState
    message: str
    at: float
    percent: int | None = None
    remedy: str = ""


class Standing(msgspec.Struct, frozen=True):
    """Where the rollout stands, as far as a change must know it.

    `stage` is the record's (or inferred) stage; `percent` what is really set. None is "not known".
    """

    stage: int
    percent: int | None
    guard: Guard
    record: StageRecord | None = None
    scale_legacy: ScalePreset | None = None
    scale_canary: ScalePreset | None = None


class Request(msgspec.Struct, frozen=True):
    """What a change carries besides its target: identity, person, time, reason, evidence."""

    id: str
    author: Author
    now: float
    reason: str = ""
    forced: bool = False
    evidence: Evidence = Evidence()


def promote(plan: Plan, standing: Standing, request: Request) -> Change:
    """One stage on. Gates are not asked here. Raises IllegalTransition at the last stage."""
    return _move(plan, standing, request, "promote", standing.stage + 1)


def step_back(plan: Plan, standing: Standing, request: Request, to: int | None = None) -> Change:
    """One stage back, or back to stage `to`. Raises IllegalTransition when that is not back."""
    return _move(plan, standing, request, "step_back", standing.stage - 1 if to is None else to)


def rollback_all(plan: Plan, standing: Standing, request: Request) -> Change:
    """Everybody to Legacy; in backup mode it is scaled up first, so that it can take the load."""
    return _move(plan, standing, request, "rollback_all", 0)


def adopt(plan: Plan, standing: Standing, request: Request) -> Change:
    """Take the split as it is into the record. Raises UsageError when no stage has that share."""
    if standing.percent is None:
        raise UsageError("The present split is not known, so it cannot be adopted.")
    stage = plan.stage_of_percent(standing.percent)
    if stage is None:
        shares = ", ".join(f"{s.percent} %" for s in plan.stages)
        raise UsageError(
            f"No stage of the plan has {standing.percent} % Canary (stages: {shares}).",
            remedy="Revert to the recorded split, or step back to a stage.",
        )
    return _move(plan, standing, request, "adopt", stage)


def revert(plan: Plan, standing: Standing, request: Request) -> Change:
    """Set the split back to what the record says. Raises UsageError without a record."""
    if standing.record is None:
        raise UsageError(
            "There is no stage record to revert to.", remedy="Adopt the present split."
        )
    return _move(plan, standing, request, "revert", standing.record.stage)


def scale(
    plan: Plan, standing: Standing, request: Request, side: Side, after: ScalePreset
) -> Change:
    """Set least and most instances of a side. Raises UsageError for an impossible range."""
    if after.min < 0 or after.max < 1 or after.min > after.max:
        raise UsageError(
            f"Instances {after.min} to {after.max} make no range.",
            remedy="The least is 0 or more, the most 1 or more and not below the least.",
        )
    service = plan.target.legacy if side == "legacy" else plan.target.canary
    before = standing.scale_legacy if side == "legacy" else standing.scale_canary
    return Change(
        id=request.id,
        kind="scale",
        rollout=plan.name,
        steps=(SetScale(service, before, after),),
        author=request.author,
        created_at=request.now,
        reason=request.reason,
        forced=request.forced,
        evidence=request.evidence,
    )


def _move(plan: Plan, standing: Standing, request: Request, move: Move, to: int) -> Change:
    check_transition(plan, move, standing.stage, to)
    record = _next_record(plan, standing, request, move, to)
    traffic = SetTraffic(
        service=plan.router_service,
        before_percent=standing.percent,
        percent=record.percent,
        record=record,
        guard=standing.guard,
    )
    return Change(
        id=request.id,
        kind=move,
        rollout=plan.name,
        steps=(*_legacy_first(plan, standing, record.percent), traffic),
        author=request.author,
        created_at=request.now,
        from_stage=standing.stage,
        to_stage=to,
        reason=request.reason,
        forced=request.forced,
        evidence=request.evidence,
    )


def _next_record(
    plan: Plan, standing: Standing, request: Request, move: Move, to: int
) -> StageRecord:
    """A revert keeps the soak of the stage it returns to; every other move starts it anew."""
    kept = standing.record if move == "revert" else None
    # The record's own share: the plan's may have been edited since, and that is not a revert.
    percent = kept.percent if kept else plan.percent_of(to)
    last = to == len(plan.stages)
    return StageRecord(
        stage=to,
        percent=percent,
        entered_at=kept.entered_at if kept else request.now,
        by=request.author.user,
        host=request.author.host,
        change=request.id,
        move=move,
        reason=request.reason,
        previous_stage=standing.stage,
        previous_percent=standing.percent,
        enabled=not last,
        production_service=plan.target.canary if last else "",
    )


def _legacy_first(plan: Plan, standing: Standing, percent: int) -> tuple[SetScale, ...]:
    """Legacy in backup mode cannot take traffic: it is scaled up before the split moves to it."""
    legacy, production = standing.scale_legacy, plan.scale.production
    if legacy is None:
        return ()
    # A split that is not known may well be all Canary: then Legacy is scaled up too.
    if standing.percent is not None and percent >= standing.percent:
        return ()
    if legacy.max > plan.scale.backup.max:
        return ()
    return (SetScale(plan.target.legacy, legacy, production),)

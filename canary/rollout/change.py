"""Changes as data: what is to become true, from what, why, and what guards it.

A Change is built by the functions below from a Snapshot's facts, shown in the confirm strip,
written to the journal as the intent, and carried out by the executor. Nothing else changes the
cloud.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from canary.rollout.errors import IllegalTransition, UsageError
from canary.rollout.plan import Plan, ScalePreset
from canary.rollout.progress import Move, StageRecord, check_transition

Kind = Literal["promote", "step_back", "rollback_all", "adopt", "revert", "scale", "retire"]
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


class KeepRecord(msgspec.Struct, frozen=True, tag="keep_record"):
    """Write the stage record on `service`, which is to keep it when its holder is deleted."""

    service: str
    record: StageRecord


class DeleteService(msgspec.Struct, frozen=True, tag="delete_service"):
    """Delete a service with its revisions, guarded by its `etag` ("" is not compared).

    `percent` is Canary's share as it was when this was decided (None: not known); if it is another
    when the step is sent, the step is refused.
    """

    service: str
    etag: str
    percent: int | None


class DeleteImages(msgspec.Struct, frozen=True, tag="delete_images"):
    """Delete a service's container images, each named by its digest, with the tags on it.

    A digest names one content for ever, so that deleting it twice is deleting it once.
    """

    service: str
    images: tuple[str, ...]


Removal = DeleteService | DeleteImages
Step = SetTraffic | SetScale | KeepRecord | DeleteService | DeleteImages


class Evidence(msgspec.Struct, frozen=True):
    """The numbers on the screen when the change was asked for; None is "no data".

    `load_test` is "PASSED" or "FAILED" and `ab_improvement` the relative gain where the stage's
    gates ask for them.
    """

    verdict: str = ""
    requests: int | None = None
    error_ratio: float | None = None
    success_ratio: float | None = None
    p95_ms: float | None = None
    confidence: float | None = None
    data_age_s: float | None = None
    gates_unmet: tuple[str, ...] = ()
    load_test: str = ""
    ab_improvement: float | None = None


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
    `dry_run_shown`: what would change was on the screen when it was confirmed. `cause` is what made
    automatic rollback act (`guard.Cause.key`); empty when a person asked.
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
    dry_run_shown: bool = False
    cause: str = ""


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
    """What a change carries besides its target: identity, person, time, reason, evidence, cause."""

    id: str
    author: Author
    now: float
    reason: str = ""
    forced: bool = False
    evidence: Evidence = Evidence()
    dry_run_shown: bool = False
    cause: str = ""


def promote(plan: Plan, standing: Standing, request: Request) -> Change:
    """One stage on. Gates are not asked here. Raises IllegalTransition at the last stage.

    Into the last stage it is the final approval, of several steps: Canary is given the instances
    of production before everything comes to it, then traffic and record change in one update, and
    Legacy goes to backup only when nothing comes to it any more: up to then it could take
    everything back. What is so already is left out, so that asking again does what is missing.
    """
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
    return _build(plan, request, "scale", (SetScale(service, before, after),))


def complete_approval(plan: Plan, standing: Standing, request: Request) -> Change:
    """What a final approval that ended half-way left undone: the scale of both sides.

    Raises IllegalTransition when Canary is not production yet, or nothing is missing.
    """
    if not is_final(plan, standing.stage) or standing.percent != 100:
        raise IllegalTransition(
            "Canary is not production yet: there is no approval to complete.",
            remedy=f"Promote into stage {len(plan.stages)}.",
        )
    steps = (*_canary_first(plan, standing), *_legacy_last(plan, standing))
    if not steps:
        raise IllegalTransition(f"Stage {standing.stage} is the last one; nothing is missing.")
    return _build(plan, request, "scale", steps)


def is_final(plan: Plan, stage: int) -> bool:
    """Whether a stage is production: the last one, with everything on Canary."""
    return stage == len(plan.stages) and plan.percent_of(stage) == 100


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
    steps: tuple[Step, ...] = (*_legacy_first(plan, standing, record.percent), traffic)
    if move == "promote" and is_final(plan, to):
        steps = (*_canary_first(plan, standing), traffic, *_legacy_last(plan, standing))
    built = _build(plan, request, move, steps)
    return msgspec.structs.replace(built, from_stage=standing.stage, to_stage=to)


def _build(plan: Plan, request: Request, kind: Kind, steps: tuple[Step, ...]) -> Change:
    return Change(
        id=request.id,
        kind=kind,
        rollout=plan.name,
        steps=steps,
        author=request.author,
        created_at=request.now,
        reason=request.reason,
        forced=request.forced,
        evidence=request.evidence,
        dry_run_shown=request.dry_run_shown,
        cause=request.cause,
    )


def _next_record(
    plan: Plan, standing: Standing, request: Request, move: Move, to: int
) -> StageRecord:
    """A revert keeps the soak of the stage it returns to; every other move starts it anew."""
    kept = standing.record if move == "revert" else None
    # The record's own share: the plan's may have been edited since, and that is not a revert.
    percent = kept.percent if kept else plan.percent_of(to)
    final = is_final(plan, to)
    return StageRecord(
        stage=to,
        percent=percent,
        entered_at=kept.entered_at if kept else request.now,
        moved_at=request.now if kept else None,
        by=request.author.user,
        host=request.author.host,
        change=request.id,
        move=move,
        reason=request.reason,
        previous_stage=standing.stage,
        previous_percent=standing.percent,
        enabled=not final,
        production_service=plan.target.canary if final else "",
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
    service = plan.router_service if _shares_service(plan) else plan.target.legacy
    return (SetScale(service, legacy, production),)


def _canary_first(plan: Plan, standing: Standing) -> tuple[SetScale, ...]:
    """Canary is raised to production before everything comes to it; unknown: it is set.

    Raised, never lowered: whoever gave it more instances than the preset had a reason, and this is
    the moment in which its requests double.
    """
    now, preset = standing.scale_canary, plan.scale.production
    # Between revisions of one service there is one scale, which both share.
    service = plan.router_service if _shares_service(plan) else plan.target.canary
    if now is None:
        return (SetScale(service, None, preset),)
    wanted = ScalePreset(max(now.min, preset.min), max(now.max, preset.max))
    return () if wanted == now else (SetScale(service, now, wanted),)


def _legacy_last(plan: Plan, standing: Standing) -> tuple[SetScale, ...]:
    """Legacy becomes the backup. Between revisions of one service there is nothing to scale down:
    it would be Canary's own scale.
    """
    now, backup = standing.scale_legacy, plan.scale.backup
    if _shares_service(plan) or (
        now is not None and now.min <= backup.min and now.max <= backup.max
    ):
        return ()
    return (SetScale(plan.target.legacy, now, backup),)


def _shares_service(plan: Plan) -> bool:
    return plan.target.router.kind == "revisions"

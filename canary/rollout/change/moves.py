"""From a wish to a Change: promote, roll back one stage, roll back all, adopt, revert, scale, hold,
release. Pure.

Each function says what becomes true, from what, and what guards it; none of them asks whether it is
permitted (`permit`), and none changes anything.
"""

from __future__ import annotations

import msgspec

from canary.rollout.change.basis import canary_scaled, legacy_scaled, needs_raising, raise_to
from canary.rollout.change.change import (
    Annotate,
    Basis,
    Change,
    Kind,
    Request,
    SetScale,
    SetTraffic,
    Side,
    Standing,
    Step,
)
from canary.rollout.change.hold import Hold, encode_hold, find_hold
from canary.rollout.change.irreversible import MOST_TEXT, Irreversible, encode_irreversible
from canary.rollout.change.marks import MOST_TEXT as MOST_NOTE
from canary.rollout.change.marks import Mark, encode_mark
from canary.rollout.change.stage_record import (
    Move,
    StageRecord,
    check_transition,
    find_plan_drift,
    infer_stage,
)
from canary.rollout.errors import Conflict, IllegalTransition, UsageError
from canary.rollout.plan.plan import Plan, ScalePreset
from canary.rollout.plan.routing import routing_digest
from canary.rollout.text import sanitize


def promote(plan: Plan, standing: Standing, request: Request) -> Change:
    """One stage on. Gates are not asked here. Raises IllegalTransition at the last stage.

    Into the last stage it is the final approval, of several steps: Canary is given the instances
    of production before everything comes to it, then traffic and record change in one update, and
    Legacy goes to backup only when nothing comes to it any more: up to then it could take
    everything back. What is so already is left out, so that asking again does what is missing.

    Raises Conflict where the record is not the plan's, which was edited since.
    """
    record = standing.record
    plan_has = "" if record is None else find_plan_drift(plan, record)
    if record is not None and plan_has:
        raise Conflict(
            f"The record says {record.percent} %, the plan has {plan_has}: it was changed since.",
            remedy="Adopt the present split, then promote; or roll back.",
        )
    return _move(plan, standing, request, "promote", standing.stage + 1)


def step_back(plan: Plan, standing: Standing, request: Request, to: int | None = None) -> Change:
    """One stage back, or back to stage `to`: of those that have less than Canary has now, whatever
    the record says. Raises IllegalTransition when that is not back, or would give Canary more.
    """
    back = _stage_below(plan, standing) if to is None else to
    check_transition(plan, "step_back", standing.stage, back)
    has = _least_share(standing)
    if has is not None and plan.percent_of(back) > has:
        raise _raising(plan, back, has)
    return _move(plan, standing, request, "step_back", back)


def _stage_below(plan: Plan, standing: Standing) -> int:
    """The stage before this one, or the next below it that has less than Canary has now."""
    last, has = standing.stage - 1, _least_share(standing)
    if has is None or last < 1 or last > len(plan.stages):
        return last
    lower = [i for i in range(1, last + 1) if plan.percent_of(i) < has]
    if not lower:
        raise _raising(plan, last, has)
    return lower[-1]


def _least_share(standing: Standing) -> int | None:
    """What Canary really has at least: what is set may not serve yet, or not any more."""
    known = [share for share in (standing.percent, standing.served) if share is not None]
    return min(known, default=None)


def _raising(plan: Plan, stage: int, has: int) -> IllegalTransition:
    return IllegalTransition(
        f"Canary has {has} % already; stage {stage} would give it {plan.percent_of(stage)} %, and a"
        " rollback never gives it more.",
        remedy="Roll back all takes the rest away: `canary rollback --all`.",
    )


def rollback_all(plan: Plan, standing: Standing, request: Request) -> Change:
    """Everybody to Legacy; in backup mode it is scaled up first, so that it can take the load."""
    return _move(plan, standing, request, "rollback_all", 0)


def adopt(plan: Plan, standing: Standing, request: Request) -> Change:
    """Take the split as it is into the record. Raises UsageError when no stage has that share.

    A share that was recorded under a plan which was edited since is adopted even so, as the highest
    stage that does not have more.
    """
    if standing.percent is None:
        raise UsageError("The present split is not known, so it cannot be adopted.")
    served = standing.served
    if served is not None and served != standing.percent:
        raise UsageError(
            f"Set is {standing.percent} %, served is {served} %: a record must say what serves.",
            remedy="Wait until it has settled, revert to the recorded split, or roll back.",
        )
    stage = plan.stage_of_percent(standing.percent)
    if stage is None and standing.percent == standing.recorded:
        stage = infer_stage(plan, standing.percent) or None
    if stage is None:
        shares = ", ".join(f"{s.percent} %" for s in plan.stages)
        raise UsageError(
            f"No stage of the plan has {standing.percent} % Canary (stages: {shares}).",
            remedy="Revert to the recorded split, or roll back to a stage.",
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
    """Set least and most instances of a side. Raises UsageError for an impossible range, and for
    backup size where both sides are revisions of one service: whoever serves would be cut down.
    """
    if after.min < 0 or after.max < 1 or after.min > after.max:
        raise UsageError(
            f"Instances {after.min} to {after.max} make no range.",
            remedy="The least is 0 or more, the most 1 or more and not below the least.",
        )
    if plan.target.shares_one_service and needs_raising(plan, after):
        raise UsageError(
            f"Both sides are revisions of {plan.router_service} and share its instances: at"
            f" {after.min} to {after.max} neither could take the traffic.",
            remedy=f"Give it more than {plan.scale.backup.max} at most.",
        )
    service = legacy_scaled(plan) if side == "legacy" else canary_scaled(plan)
    before = standing.scale_legacy if side == "legacy" else standing.scale_canary
    smaller = side == "legacy" and after.max <= plan.scale.backup.max
    idle = smaller and standing.percent == 100
    step = SetScale(service, before, after)
    return _build(plan, standing, request, "scale", (step,), idle=idle)


def complete_approval(plan: Plan, standing: Standing, request: Request) -> Change:
    """What a final approval that ended half-way left undone: the scale of both sides.

    Raises IllegalTransition when Canary is not production yet, or nothing is missing, and Conflict
    as long as not all of the split is in effect: Legacy may still serve.
    """
    if not is_final(plan, standing.stage) or standing.percent != 100:
        raise IllegalTransition(
            "Canary is not production yet: there is no approval to complete.",
            remedy=f"Promote into stage {len(plan.stages)}.",
        )
    steps = (*_canary_first(plan, standing), *_legacy_last(plan, standing))
    if not steps:
        raise IllegalTransition(f"Stage {standing.stage} is the last one; nothing is missing.")
    if standing.in_doubt or standing.served not in (None, 100):
        raise Conflict(
            "Canary is set to 100 %, and not all of it is in effect: Legacy may still serve, and"
            " keeps its instances.",
            remedy="Wait until it has settled; where it failed, roll back: `canary rollback`.",
        )
    return _build(plan, standing, request, "scale", steps, idle=True, completes=True)


def hold(plan: Plan, standing: Standing, request: Request, until: float | None) -> Change:
    """Hold the rollout where it stands, for everybody; None: until it is released.

    It takes the place of a hold that is there. Raises UsageError without a reason.
    """
    if not request.reason.strip():
        raise UsageError(
            "A hold says why, to whoever finds it.", remedy="Give --reason TEXT: why, and for whom."
        )
    held = _hold_of(request, until=until)
    return _annotate_hold(plan, standing, request, "hold", held)


def release(plan: Plan, standing: Standing, request: Request) -> Change:
    """End a hold before its time. Raises IllegalTransition where none holds."""
    if find_hold(standing.hold, request.now) is None:
        raise IllegalTransition("Nothing is held: there is no hold to release.")
    held = _hold_of(request, released=True)
    return _annotate_hold(plan, standing, request, "release", held)


def _hold_of(request: Request, *, until: float | None = None, released: bool = False) -> Hold:
    author = request.author
    return Hold(until, request.reason, author.user, author.host, request.now, request.id, released)


def _annotate_hold(
    plan: Plan, standing: Standing, request: Request, kind: Kind, held: Hold
) -> Change:
    before = standing.hold.change if standing.hold is not None else ""
    step = Annotate(plan.router_service, "hold", encode_hold(held), request.id, before)
    return _build(plan, standing, request, kind, (step,))


def mark_irreversible(plan: Plan, standing: Standing, request: Request, what: str) -> Change:
    """Mark that a step was made which no rollback undoes. Raises UsageError where it is not said
    which.
    """
    if not what.strip():
        raise UsageError(
            "What cannot be undone is missing.", remedy='Name it in a word or two: "schema 42".'
        )
    return _mark(plan, standing, request, "mark_irreversible", sanitize(what, 10 * MOST_TEXT))


def clear_irreversible(plan: Plan, standing: Standing, request: Request) -> Change:
    """Take the mark away. Raises UsageError without a reason: it was somebody's warning."""
    if not request.reason.strip():
        raise UsageError(
            "The mark was somebody's warning: it is cleared with a reason.",
            remedy="Give --reason TEXT: why a rollback is safe again.",
        )
    return _mark(plan, standing, request, "clear_irreversible", "")


def _mark(plan: Plan, standing: Standing, request: Request, kind: Kind, what: str) -> Change:
    author, there = request.author, standing.irreversible
    mark = Irreversible(
        what,
        author.user,
        author.host,
        request.now,
        request.id,
        standing.guard.revision,
        cleared=kind == "clear_irreversible",
    )
    before = there.change if there is not None else ""
    text = encode_irreversible(mark)
    step = Annotate(canary_scaled(plan), "irreversible", text, request.id, before)
    return _build(plan, standing, request, kind, (step,))


def note(plan: Plan, standing: Standing, request: Request, text: str) -> Change:
    """Mark this moment, with a note where `text` says one."""
    author = request.author
    mark = Mark(request.now, sanitize(text, 2 * MOST_NOTE), author.user, author.host, request.id)
    step = Annotate(canary_scaled(plan), "marks", encode_mark(mark), request.id)
    return _build(plan, standing, request, "note", (step,))


def is_final(plan: Plan, stage: int) -> bool:
    """Whether a stage is production: the last one, with everything on Canary."""
    return stage == len(plan.stages) and plan.percent_of(stage) == 100


def _move(plan: Plan, standing: Standing, request: Request, move: Move, to: int) -> Change:
    check_transition(plan, move, standing.stage, to)
    record = _next_record(plan, standing, request, move, to)
    traffic = SetTraffic(
        service=plan.router_service,
        # Where less is set than serves, what serves is what Legacy must take.
        before_percent=None if standing.percent is None else standing.most_percent,
        percent=record.percent,
        record=record,
        guard=standing.guard,
    )
    steps: tuple[Step, ...] = (*_legacy_first(plan, standing, record.percent), traffic)
    if move == "promote" and is_final(plan, to):
        steps = (*_canary_first(plan, standing), traffic, *_legacy_last(plan, standing))
    built = _build(plan, standing, request, move, steps)
    return msgspec.structs.replace(built, from_stage=standing.stage, to_stage=to)


def _build(
    plan: Plan,
    standing: Standing,
    request: Request,
    kind: Kind,
    steps: tuple[Step, ...],
    *,
    idle: bool = False,
    completes: bool = False,
) -> Change:
    limits = (standing.limits_legacy, standing.limits_canary)
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
        basis=Basis(standing.guard, *limits, idle=idle, completes=completes),
        routing=routing_digest(plan),
    )


def _next_record(
    plan: Plan, standing: Standing, request: Request, move: Move, to: int
) -> StageRecord:
    """A revert keeps the soak of the stage it returns to; every other move starts it anew."""
    kept = standing.record if move == "revert" else None
    # The record's own share: the plan's may have been edited since, and that is not a revert.
    percent = kept.percent if kept else plan.percent_of(to)
    if move == "adopt" and standing.percent is not None:
        percent = standing.percent
    final = is_final(plan, to)
    return StageRecord(
        stage=to,
        percent=percent,
        entered_at=kept.entered_at if kept else request.now,
        moved_at=request.now if kept else None,
        lost_s=_lost_s(kept, standing, request.now) if kept else 0.0,
        by=request.author.user,
        host=request.author.host,
        beside=request.author.beside,
        change=request.id,
        move=move,
        reason=request.reason,
        previous_stage=standing.stage,
        previous_percent=standing.percent,
        enabled=not final,
        production_service=plan.target.canary if final else "",
        revision=standing.guard.revision,
    )


def _lost_s(kept: StageRecord, standing: Standing, now: float) -> float:
    """The seconds of the stage at another share than its own, the ones until now among them."""
    since = standing.drifted_at
    return kept.lost_s + (max(0.0, now - max(since, kept.entered_at)) if since is not None else 0.0)


def _legacy_first(plan: Plan, standing: Standing, percent: int) -> tuple[SetScale, ...]:
    """Legacy in backup mode cannot take traffic: it is scaled up before the split moves to it."""
    limits = standing.limits_legacy or standing.scale_legacy
    if limits is None:
        return ()
    # A split that is not known may well be all Canary: then Legacy is scaled up too.
    most = standing.most_percent
    if most is not None and percent >= most:
        return ()
    if limits.max > plan.scale.backup.max:
        return ()
    return (SetScale(legacy_scaled(plan), standing.scale_legacy, plan.scale.production),)


def _canary_first(plan: Plan, standing: Standing) -> tuple[SetScale, ...]:
    """Canary is raised to production before everything comes to it; unknown: it is set.

    Raised, never lowered: whoever gave it more instances than the preset had a reason, and this is
    the moment in which its requests double. A template that narrows it is no reason to ask for ever
    for what the service is set to already.
    """
    shown, preset = standing.scale_canary, plan.scale.production
    service = canary_scaled(plan)  # between revisions of one service both share one scale
    if shown is None:
        return (SetScale(service, None, preset),)
    limits = standing.limits_canary or shown
    now = ScalePreset(max(limits.min, shown.min), limits.max)
    wanted = raise_to(now, preset)
    return () if wanted == now else (SetScale(service, shown, wanted),)


def _legacy_last(plan: Plan, standing: Standing) -> tuple[SetScale, ...]:
    """Legacy becomes the backup. Between revisions of one service there is nothing to scale down:
    it would be Canary's own scale.
    """
    shown, backup = standing.scale_legacy, plan.scale.backup
    now = standing.limits_legacy or shown
    if plan.target.shares_one_service or (
        now is not None and now.min <= backup.min and now.max <= backup.max
    ):
        return ()
    return (SetScale(plan.target.legacy, shown, backup),)

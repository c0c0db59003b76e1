"""What a step rests on, and whether it still holds when the step is sent. Pure.

A question is answered seconds after it was opened, and a step is sent after others of its change:
by then the split may be another's and a side may have been scaled. So each step is compared with
what its change was decided on (`change.Basis`), and with what the steps before it have made true.
Going back is not refused for it: it looks again, and goes on (`needs_raising`).
"""

from __future__ import annotations

import msgspec

from canary.rollout.change.change import (
    GOING_BACK,
    Basis,
    Change,
    DeleteService,
    KeepRecord,
    SetScale,
    SetTraffic,
    Step,
    basis_of,
    split_of,
)
from canary.rollout.plan.plan import Plan, ScalePreset
from canary.rollout.text import format_percent


class SplitNow(msgspec.Struct, frozen=True):
    """The split at the moment in which a step is to be sent.

    `served` None: not told. `in_flux`: settling, or the last change of it failed. `record` is the
    change whose stage record is there ("" for none).
    """

    percent: int | None
    record: str
    served: int | None = None
    in_flux: bool = False


def find_moved_split(change: Change, index: int, now: SplitNow) -> str:
    """What has moved of the split that step `index` rests on, one sentence; "" when it holds."""
    step, basis = change.steps[index], basis_of(change)
    if isinstance(step, SetTraffic) or basis is None or change.kind in GOING_BACK:
        return ""  # a split has its own guard
    split = split_of(change)
    if split is not None and index > change.steps.index(split):
        return _compare(split.percent, msgspec.UNSET, now, idle=True)
    idle = basis.idle and isinstance(step, SetScale | DeleteService)
    return _compare(basis.guard.percent, basis.guard.record, now, idle=idle)


def _compare(
    percent: int | None, record: str | msgspec.UnsetType, now: SplitNow, *, idle: bool
) -> str:
    if percent is not None and now.percent != percent:
        shown = format_percent(now.percent)
        return f"Canary's share is {shown} now; this was decided at {percent} %."
    if record is not msgspec.UNSET and now.record != record:
        return "Another change has moved the stage record since this was decided."
    if idle and now.percent != 100:
        return f"Canary's share is {format_percent(now.percent)}: Legacy is not idle."
    if idle and (now.in_flux or now.served not in (None, 100)):
        return "The split is set and not all of it is in effect: Legacy may still serve."
    return ""


def find_moved_scale(
    plan: Plan, change: Change, index: int, now: ScalePreset | None, revision: str = ""
) -> str:
    """What has moved of the side that step `index` rests on, one sentence; "" when it holds.

    That side is the one that the step scales; of a split that raises Canary, Canary. `now` are its
    limits and `revision` its latest ready one ("" is not compared). None: not known.
    """
    step, basis = change.steps[index], basis_of(change)
    if basis is None or change.kind in GOING_BACK:
        return ""
    if isinstance(step, SetScale):
        was = _limits_of(plan, basis, step.service)
        split = split_of(change)
        ahead = split is not None and index < change.steps.index(split)
        if was is None or now in (None, was, step.after) or (ahead and covers(now, step.after)):
            return ""
        return f"{step.service} was scaled to {_said(now)} meanwhile, from {_said(was)}."
    if not isinstance(step, SetTraffic) or not raises(step):
        return ""
    decided = basis.guard.revision
    if decided and revision and revision != decided:
        return f"Canary runs {revision} now; this was decided on {decided}."
    least = _least_canary(plan, change, index, basis)
    if least is None or now is None or covers(now, least):
        return ""
    return f"Canary was scaled to {_said(now)} meanwhile; this was decided on {_said(least)}."


def _least_canary(plan: Plan, change: Change, index: int, basis: Basis) -> ScalePreset | None:
    """What Canary must be able to run before it gets more: what a step ahead gave it, or had."""
    ahead = (s for s in change.steps[:index] if isinstance(s, SetScale))
    return next((s.after for s in ahead if s.service == canary_scaled(plan)), basis.canary)


def _limits_of(plan: Plan, basis: Basis, service: str) -> ScalePreset | None:
    if service == canary_scaled(plan):
        return basis.canary
    return basis.legacy if service == legacy_scaled(plan) else None


def canary_scaled(plan: Plan) -> str:
    """The service that Canary's scale is set on."""
    return plan.router_service if plan.target.shares_one_service else plan.target.canary


def legacy_scaled(plan: Plan) -> str:
    """The service that Legacy's scale is set on."""
    return plan.router_service if plan.target.shares_one_service else plan.target.legacy


def rests_on_split(step: Step) -> bool:
    """Whether the split is looked at before the step: what only takes away is right under one.

    A scale that gives more is right under any.
    """
    if isinstance(step, SetScale):
        return step.before is None or not covers(step.after, step.before)
    return isinstance(step, KeepRecord | DeleteService)


def raises(step: SetTraffic) -> bool:
    """Whether a split gives Canary more than it had."""
    return step.before_percent is not None and step.percent > step.before_percent


def lowers(step: Step) -> bool:
    """Whether a step sends requests back to Legacy, or may: what it had may not be known.

    One that leaves the share as it is counts, too: it may have been moved past the console, and
    Legacy be in backup since before.
    """
    if not isinstance(step, SetTraffic) or step.percent == 100:
        return False
    return step.before_percent is None or step.percent <= step.before_percent


def covers(now: ScalePreset | None, wanted: ScalePreset) -> bool:
    """Whether limits allow at least what is wanted; never when they are not known."""
    return now is not None and now.min >= wanted.min and now.max >= wanted.max


def needs_raising(plan: Plan, legacy: ScalePreset | None) -> bool:
    """Whether Legacy, by its limits, is in backup size: it could not take what comes back to it."""
    return legacy is not None and legacy.max <= plan.scale.backup.max


def raise_to(now: ScalePreset, wanted: ScalePreset) -> ScalePreset:
    """Limits that allow both; whoever gave more had a reason."""
    return ScalePreset(max(now.min, wanted.min), max(now.max, wanted.max))


def _said(limits: ScalePreset | None) -> str:
    return "unknown" if limits is None else f"{limits.min} to {limits.max}"

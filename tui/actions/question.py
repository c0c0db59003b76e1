"""What the confirm strip shows of a pending change: words made from data."""

from __future__ import annotations

from canary.cloud.router.router import NO_GUARD
from canary.engine.change.dry_run import describe
from canary.rollout.change.change import (
    Change,
    DeleteImages,
    DeleteService,
    KeepRecord,
    SetTraffic,
    Step,
)
from canary.rollout.permit.approval import format_order, is_final_approval
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import format_age, format_percent, sanitize
from tui.actions.pending import Pending
from widgets.bars.confirm_strip import Proposal

APPROVED = "Canary becomes production, Legacy its backup: all that becomes true is listed above."
"""The page of the approval, opened with the question, says why its steps come in their order."""

LEAVE_CONSOLE = "leave"
"""The id of the question whether to leave while a change is in flight."""


def ask(pending: Pending, plan: Plan, snapshot: Snapshot) -> Proposal:
    """The question of a pending change: what, from → to, on what, how fresh, which gates fail."""
    change = pending.change
    gates = {g.id: g for g in snapshot.gates}
    unmet = change.evidence.gates_unmet if change.kind == "promote" else ()
    return Proposal(
        change_id=change.id,
        title=pending.title or change_title(change),
        facts=tuple(map(format_step, change.steps)),
        target="" if change.kind == "retire" else pending.guard.revision or pending.guard.service,
        data_age=_freshness(pending.data_age_s),
        unmet=tuple(gates[i].label for i in unmet if i in gates),
        command=" && ".join(describe(change, plan).gcloud),
        typed_name=pending.typed_name,
        note=APPROVED if is_final_approval(change) else " ".join(_why(change, plan)),
    )


def format_step(step: Step) -> str:
    """What one step changes, as short as it is whole."""
    if isinstance(step, SetTraffic):
        return f"canary {format_percent(step.before_percent)} → {step.percent} %"
    if isinstance(step, KeepRecord):
        return f"record kept on {sanitize(step.service)}"
    if isinstance(step, DeleteService):
        return f"{sanitize(step.service)} deleted"
    if isinstance(step, DeleteImages):
        number = len(step.images)
        images = "1 image" if number == 1 else f"{number} images"
        return f"{images} of {sanitize(step.service)} deleted"
    before = "?" if step.before is None else f"{step.before.min}–{step.before.max}"
    return f"{sanitize(step.service)} {before} → {step.after.min}–{step.after.max} instances"


def _why(change: Change, plan: Plan) -> tuple[str, ...]:
    """Why several steps come in their order, and that nothing guards a program of the team's."""
    unguarded = not plan.target.router.has_guard and change.to_stage is not None
    return tuple(said for said in (format_order(change), NO_GUARD if unguarded else "") if said)


def _freshness(age_s: float | None) -> str:
    return "no data" if age_s is None else f"on data {format_age(age_s)} old"


def ask_to_leave(title: str) -> Proposal:
    """The question of leaving while a change is under way."""
    return Proposal(
        change_id=LEAVE_CONSOLE,
        title="Leave while a change is in flight?",
        facts=(
            sanitize(title, 80),
            "It is carried on without the console; look with canary log.",
        ),
    )


LEAVE_LOAD_TEST = Proposal(
    change_id=LEAVE_CONSOLE,
    title="Leave while the load test runs?",
    facts=("It is ended with the console, and writes no result.",),
)


def change_title(change: Change) -> str:
    """What a change does, as a heading."""
    match change.kind:
        case "promote" if is_final_approval(change):
            return f"Final approval, into stage {change.to_stage}"
        case "promote":
            return f"Promote to stage {change.to_stage}"
        case "step_back":
            return f"Roll back to stage {change.to_stage}"
        case "rollback_all":
            return "Roll back all"
        case "adopt":
            return f"Adopt the present split as stage {change.to_stage}"
        case "revert":
            return f"Revert the split to stage {change.to_stage}"
        case "scale":
            return f"Scale {sanitize(change.steps[0].service)}"
        case "retire":
            # The record is kept on Canary before: the service of the first step is not the one.
            gone = (step.service for step in change.steps if isinstance(step, DeleteService))
            return f"Delete {sanitize(next(gone, 'Legacy'))}"

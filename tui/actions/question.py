"""What the confirm strip shows of a pending change: words made from data."""

from __future__ import annotations

from canary.cloud.router.router import NO_GUARD
from canary.engine.change.dry_run import describe
from canary.rollout.change.change import (
    Change,
    is_final_approval,
)
from canary.rollout.change.text import format_order, format_step, format_title
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import format_age, sanitize
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
        title=pending.title or format_title(change),
        facts=tuple(map(format_step, change.steps)),
        target="" if change.kind == "retire" else pending.guard.revision or pending.guard.service,
        data_age=_freshness(pending.data_age_s),
        unmet=tuple(gates[i].label for i in unmet if i in gates),
        command=" && ".join(describe(change, plan).gcloud),
        typed_name=pending.typed_name,
        note=APPROVED if is_final_approval(change) else " ".join(_why(change, plan)),
    )


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

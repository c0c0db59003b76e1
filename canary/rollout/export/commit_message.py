"""What the commit of a stage record is called. Pure.

Subjects are conventional commits. Text from outside (reason, names) is made plain: git shows a
message at terminals.
"""

from __future__ import annotations

from canary.rollout.change.change import Change
from canary.rollout.permit.approval import is_final_approval, split_of
from canary.rollout.text import sanitize


def commit_message(change: Change) -> str:
    """Subject, blank line and body for a change of the split.

    ==============  ====================================================
    promote         feat: Stage 2 canary rollout (10% traffic)
    step_back       fix: Roll back canary to stage 1 (5% traffic)
    rollback_all    fix: Roll back canary, all traffic to Legacy (0% traffic)
    adopt           chore: Adopt stage 3 canary rollout (25% traffic)
    revert          fix: Restore stage 2 canary rollout (10% traffic)
    ==============  ====================================================

    Raises ValueError for a change without a split.
    """
    split = split_of(change)
    if split is None:
        raise ValueError(f"{change.kind} changes no split, and has no commit")
    stage, share = split.record.stage, f"({split.percent}% traffic)"
    subject = {
        "promote": f"feat: Stage {stage} canary rollout {share}",
        "step_back": f"fix: Roll back canary to stage {stage} {share}",
        "rollback_all": f"fix: Roll back canary, all traffic to Legacy {share}",
        "adopt": f"chore: Adopt stage {stage} canary rollout {share}",
        "revert": f"fix: Restore stage {stage} canary rollout {share}",
    }.get(change.kind, f"chore: Stage {stage} canary rollout {share}")
    return "\n".join((subject, "", *_body(change)))


def _body(change: Change) -> list[str]:
    lines = [f"{sanitize(change.rollout, 120)}, by {sanitize(change.author, 120)}."]
    if is_final_approval(change):
        service = (
            sanitize(split.record.production_service, 60) if (split := split_of(change)) else ""
        )
        lines.append(f"The canary mode has ended: {service} is production.")
    if change.reason:
        lines.append(f"Reason: {sanitize(change.reason, 500)}")
    if change.forced:
        gates = sanitize(", ".join(change.evidence.gates_unmet), 200)
        lines.append(f"Forced over: {gates or 'nothing'}")
    lines.append(f"Change: {sanitize(change.id, 80)}")
    return lines

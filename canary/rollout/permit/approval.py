"""What a change says of itself and rests on: its order, what becomes true, the numbers, the name
that must be typed, and the message of its commit.

Text and figures only; which steps there are is `change`. Shown by the dry run, the confirm strip,
the shell and the outcome alike.
"""

from __future__ import annotations

from collections.abc import Iterable

from canary.rollout.change.change import (
    GOING_BACK,
    Change,
    ChangeEvidence,
    DeleteService,
    SetScale,
    SetTraffic,
    is_final_approval,
    split_of,
)
from canary.rollout.change.irreversible import Irreversible
from canary.rollout.decision.gates import Gate, gate_glyph, unmet
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import AtLeast, format_limit, format_value, plain_value, sanitize


def describe_consequences(change: Change, plan: Plan) -> tuple[str, ...]:
    """What is true after a final approval, one line each; empty for every other change."""
    split = split_of(change)
    if split is None or not is_final_approval(change):
        return ()
    canary, legacy = sanitize(plan.target.canary, 60), sanitize(plan.target.legacy, 60)
    record = split.record
    return (
        f"Canary ({canary}) is production and takes {split.percent} %",
        f"Legacy ({legacy}) is the backup: ready for an emergency, it takes nothing",
        f"the canary mode is recorded as ended: enabled = false, stage = {record.stage},"
        f" percent = {record.percent},"
        f" production_service = {sanitize(record.production_service, 60)}",
    )


def format_evidence(gates: Iterable[Gate]) -> tuple[str, ...]:
    """The gates as evidence, one line each, as "✓ A/B improvement 51.1 % > 10 %"; that one first.

    Empty without gates.
    """
    ordered = sorted(gates, key=lambda gate: gate.id != "ab_test")
    return tuple(_format_gate(gate) for gate in ordered)


def _format_gate(gate: Gate) -> str:
    value, limit = format_value(gate.id, gate.observed), format_limit(gate.id, gate.limit)
    said = f"{gate_glyph(gate)} {gate.label} {value}"
    if gate.comparison != "=":
        said += f" {gate.comparison} {limit}"
    return f"{said}: {sanitize(gate.evidence, 120)}" if gate.evidence else said


# What a confirmation rests on: the numbers at that moment, and the name that must be typed.


def evidence_of(snapshot: Snapshot, now: float) -> ChangeEvidence:
    """The numbers that were shown when the change was asked for; what was not known stays None."""
    window, age_s = snapshot.canary.window, snapshot.data_age_s
    tests = {gate.id: gate for gate in snapshot.gates}
    load_test, ab_test = tests.get("load_test"), tests.get("ab_test")
    passed = {1.0: "PASSED", 0.0: "FAILED", None: ""}
    return ChangeEvidence(
        verdict=snapshot.decision.verdict,
        requests=window.requests,
        error_ratio=window.error_ratio,
        success_ratio=window.success_ratio,
        p95_ms=plain_value(window.p95_ms),
        p95_at_least=isinstance(window.p95_ms, AtLeast),
        confidence=window.confidence,
        data_age_s=None if age_s is None else age_s + max(0.0, now - snapshot.as_of),
        gates_unmet=tuple(gate.id for gate in unmet(snapshot.gates)),
        load_test=passed.get(load_test.observed, "") if load_test is not None else "",
        ab_improvement=ab_test.observed if ab_test is not None else None,
    )


def name_to_type(
    plan: Plan,
    change: Change,
    percent_now: int | None,
    irreversible: Irreversible | None = None,
    served: int | None = None,
) -> str:
    """The service whose name must be typed for this change; "" when a yes is enough.

    Grave are: giving Canary everything, and backup size for a Legacy that serves anything, or for a
    Canary that takes at least half of the requests. `percent_now` is what is set, `served` what
    serves where that is told. Rolling back all never is grave: that must be quick; except over a
    step that it does not undo.
    """
    if irreversible is not None and change.kind in GOING_BACK:
        return plan.target.canary
    for step in change.steps:
        if isinstance(step, DeleteService):
            return step.service
        if isinstance(step, SetTraffic) and step.percent == 100 and step.before_percent != 100:
            return plan.target.canary
        if isinstance(step, SetScale) and _starves(plan, step, percent_now, served):
            return step.service
    return ""


def _starves(plan: Plan, step: SetScale, percent_now: int | None, served: int | None) -> bool:
    if step.after.max > plan.scale.backup.max:
        return False
    if percent_now is None:
        return True
    shares = (percent_now, percent_now if served is None else served)
    if step.service == plan.target.canary:
        return max(shares) >= 50
    return min(shares) < 100


# What the commit of a stage record is called. Pure.
#
# Subjects are conventional commits. Text from outside (reason, names) is made plain: git shows a
# message at terminals.


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
    return "\n".join((subject, "", *_commit_body(change)))


def _commit_body(change: Change) -> list[str]:
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

"""What a confirmation rests on: the numbers at that moment, and the name that must be typed."""

from __future__ import annotations

from canary.rollout.change.change import Change, ChangeEvidence, DeleteService, SetScale, SetTraffic
from canary.rollout.decision.gates import unmet
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot


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
        p95_ms=window.p95_ms,
        confidence=window.confidence,
        data_age_s=None if age_s is None else age_s + max(0.0, now - snapshot.as_of),
        gates_unmet=tuple(gate.id for gate in unmet(snapshot.gates)),
        load_test=passed.get(load_test.observed, "") if load_test is not None else "",
        ab_improvement=ab_test.observed if ab_test is not None else None,
    )


def name_to_type(plan: Plan, change: Change, percent_now: int | None) -> str:
    """The service whose name must be typed for this change; "" when a yes is enough.

    Grave are: giving Canary everything, and leaving the side that takes at least half of the
    requests in backup size. Rolling back all never is: that must be quick.
    """
    for step in change.steps:
        if isinstance(step, DeleteService):
            return step.service
        if isinstance(step, SetTraffic) and step.percent == 100 and step.before_percent != 100:
            return plan.target.canary
        if isinstance(step, SetScale) and _starves(plan, step, percent_now):
            return step.service
    return ""


def _starves(plan: Plan, step: SetScale, percent_now: int | None) -> bool:
    if step.after.max > plan.scale.backup.max:
        return False
    if percent_now is None:
        return True
    share = percent_now if step.service == plan.target.canary else 100 - percent_now
    return share >= 50

"""What automatic rollback would act on: from one Snapshot to a cause, or to why none. Pure.

Only what may be judged counts: fresh, sufficient data of Canary from after the last change.

=====================  ============================================
trigger                what is done
=====================  ============================================
a critical limit       roll back all
a watch overdue        one stage back
the stage's own limit  one stage back
a proven regression    one stage back, where the plan says so
=====================  ============================================

From the first stage, one stage back is roll back all. The share is never raised: after somebody
lowered it by hand, "one stage back" may be more than there is, and nothing is done.
"""

from __future__ import annotations

from typing import Literal

from canary.rollout.decision.gates import DATA_WORDS
from canary.rollout.decision.guard import Cause, Seen, Trigger
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import format_limit, format_value


def find_cause(plan: Plan, snapshot: Snapshot) -> Seen:
    """The cause to act on now, if any."""
    data, standing = snapshot.canary.data, snapshot.standing
    if data != "ok" or snapshot.decision.data != "ok":
        state = data if data != "ok" else snapshot.decision.data
        return Seen(None, f"nothing may be judged: {DATA_WORDS[state]}")
    if standing is None or standing.percent is None:
        return Seen(None, "the present share is not known")
    found = _find_trigger(snapshot)
    if found is None or standing.percent == 0:
        return Seen(None)
    trigger, said = found
    kind: Literal["step_back", "rollback_all"] = (
        "rollback_all" if trigger == "critical" or standing.stage <= 1 else "step_back"
    )
    if kind == "step_back" and plan.percent_of(standing.stage - 1) >= standing.percent:
        return Seen(None, "the share was lowered by hand already")
    going = next((c for c in snapshot.changes if c.outcome is None and c.kind in _BACK), None)
    if going is not None:
        return Seen(None, f"a rollback is in flight: {going.author}")
    return Seen(Cause(f"{_entry_of(snapshot)}:{trigger}", kind, trigger, said))


_BACK = ("step_back", "rollback_all")


def _find_trigger(snapshot: Snapshot) -> tuple[Trigger, str] | None:
    decision = snapshot.decision
    if decision.verdict == "rollback_all":
        return "critical", decision.reason
    if decision.verdict == "rollback_stage":
        return "overdue", decision.reason
    own = next((a for a in snapshot.alerts if a.scope == "stage"), None)
    if own is None:
        advice = snapshot.advice
        # "Worse now" alone never acts: bursts in Canary alone can fool the quick test.
        acts = advice is not None and advice.action == "rollback" and advice.tier == "proven"
        return ("regression", advice.text) if advice is not None and acts else None
    shown, limit = format_value(own.id, own.observed), format_limit(own.id, own.limit)
    return "stage", f"beyond the stage's own limit: {own.id.replace('_', ' ')} {shown} ({limit})"


def _entry_of(snapshot: Snapshot) -> str:
    """Which entry into which stage this is: the change that made it, else what is known of it."""
    record = snapshot.traffic.record
    if record is None:
        return f"unrecorded {snapshot.traffic.canary_percent}"
    return record.change or f"{record.stage} since {record.entered_at:.0f}"

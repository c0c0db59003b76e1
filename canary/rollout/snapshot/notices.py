"""What stands beside the verdict, the same in `status`, its line and JSON and the copied summary.

Whether everybody could leave Canary now, and what is changed elsewhere with the remedy that works
from where the rollout stands. Pure.
"""

from __future__ import annotations

from typing import Final

from canary.rollout.decision.readiness import CheckId, Readiness
from canary.rollout.snapshot.served import find_hindrance, is_unadoptable
from canary.rollout.snapshot.snapshot import Drift, Snapshot
from canary.rollout.text import format_percent, sanitize

NOT_POSSIBLE: Final[dict[CheckId, str]] = {
    "cloud": "Cloud Run does not answer",
    "journal": "the journal cannot be written",
    "target": "Legacy cannot take over",
    "rights": "permission missing",
    "instances": "too few instances",
    "fresh": "what is set is not known",
}
"""Why a rollback is not possible, in the fewest words; by the check that says so."""


def brief_going_back(readiness: Readiness | None) -> str:
    """ "✗ rollback not possible: permission missing"; "" while it is possible, or not asked."""
    if readiness is None or readiness.state != "impossible":
        return ""
    return f"✗ rollback not possible: {NOT_POSSIBLE[readiness.wrong[0].id]}"


def format_going_back(readiness: Readiness | None) -> str:
    """Whether roll back all would work now, why not, and what to do; "" where it was not asked."""
    if readiness is None:
        return ""
    if readiness.state == "ok":
        return "✓ rollback ready"
    worst = readiness.wrong[0]
    said = f"{sanitize(worst.said, 300)} {sanitize(worst.remedy, 300)}".strip()
    if readiness.state == "impossible":
        return f"{brief_going_back(readiness)}. {said}"
    return f"{'?' if readiness.is_only_unknown else '!'} rollback: {said}"


def brief_drift(snapshot: Snapshot) -> str:
    """ "DRIFT, adopt or revert"; "" without drift."""
    commands = drift_commands(snapshot)
    if snapshot.traffic.drift is None:
        return ""
    return f"DRIFT: {' or '.join(commands)}" if commands else "DRIFT"


def format_drift(snapshot: Snapshot) -> str:
    """What was changed elsewhere, and the remedy that works; "" without drift."""
    drift = snapshot.traffic.drift
    return "" if drift is None else f"{_said(drift)}: {format_drift_remedy(snapshot)}"


def format_drift_remedy(snapshot: Snapshot) -> str:
    """What to do about a drift from where the rollout stands; "" without one.

    To adopt is refused while a change is in flight, and takes over nothing that does not serve.
    """
    traffic = snapshot.traffic
    if traffic.drift is None:
        return ""
    flying = next((c for c in snapshot.changes if c.outcome is None), None)
    if flying is not None:
        return f"wait until {sanitize(flying.title, 80)} by {sanitize(flying.author, 60)} has ended"
    if traffic.reconciling:
        return "wait until what was changed has settled, then look again"
    commands = " or ".join(f"`canary {name}`" for name in drift_commands(snapshot))
    hindrance = find_hindrance(traffic)
    return commands if hindrance is None else f"{commands}; {sanitize(hindrance.remedy, 300)}"


def drift_commands(snapshot: Snapshot) -> tuple[str, ...]:
    """The commands that end a drift now; none while another change is under way."""
    traffic = snapshot.traffic
    busy = traffic.reconciling or any(c.outcome is None for c in snapshot.changes)
    if traffic.drift is None or busy:
        return ()
    if traffic.drift.is_plans:
        return ("adopt",)
    # What is set and does not serve, or serves a third one, is nothing to take over.
    return ("revert",) if is_unadoptable(traffic) else ("adopt", "revert")


def _said(drift: Drift) -> str:
    recorded = format_percent(drift.recorded_percent)
    if drift.is_plans:
        return f"the plan was changed: {recorded} recorded, it has {drift.plan_has}"
    by = f" by {sanitize(drift.by, 80)}" if drift.by else ""
    actual = format_percent(drift.actual_percent)
    return f"changed elsewhere{by}: {actual}, recorded {recorded}"
